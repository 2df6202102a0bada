/** Only what differs: a row for each field of the spec, a column for each side. */
import { useMemo, useState } from "preact/hooks";
import { listMethods } from "../../api/runs";
import { Stroke } from "../../components/Legend";
import { useLoaded } from "../../loaded";
import type { Side } from "../../pictures/sides";
import { isDerived, type SpecRow, specRows } from "../../pictures/specdiff";

const FEW = 6; // rows that the methods explain are folded away where there are more

export function SpecTable({ sides }: { sides: readonly Side[] }) {
  const [methods] = useLoaded(listMethods, []);
  const [all, setAll] = useState(false);
  const rows = useMemo(() => {
    const known = new Map(methods.state === "ready" ? methods.value.data.map((one) => [one.name, one.values]) : []);
    return specRows(
      sides.map((side) => side.runs.map((run) => run.spec)),
      sides.map((side) => known.get(side.runs[0]!.method ?? "")),
    );
  }, [sides, methods]);
  const derived = rows.filter(isDerived).length;
  const folded = derived > FEW && !all;
  const shown = folded ? rows.filter((row) => !isDerived(row)) : rows;
  if (sides.length < 2) return null;
  return (
    <section class="card compare-part" aria-labelledby="spec-differences">
      <h2 id="spec-differences">Differences in the specs</h2>
      <p class="summary">
        {rows.length === 0
          ? "These runs were asked for alike."
          : `${rows.length} field${rows.length === 1 ? " differs" : "s differ"}.`}
        {derived > 0 && ` ${derived} of them follow${derived === 1 ? "s" : ""} from the method alone.`}
        {rows.some((row) => row.cells.some((cell) => cell.derived)) && (
          <>
            {" "}
            <i class="by-method">m</i> marks a value that the method brings.
          </>
        )}
      </p>
      {shown.length > 0 && <Rows rows={shown} sides={sides} />}
      {derived > FEW && (
        <button type="button" class="quiet" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "hide" : "show"} the {derived} that follow from the method
        </button>
      )}
    </section>
  );
}

function Rows({ rows, sides }: { rows: readonly SpecRow[]; sides: readonly Side[] }) {
  return (
    <div class="table-wrap" tabIndex={0} role="region" aria-label="Fields that differ">
      <table class="numbers spec-table">
        <thead>
          <tr>
            <th scope="col" class="text">
              field
            </th>
            {sides.map((side) => (
              <th key={side.runs[0]!.id} scope="col" class="text" title={side.label}>
                <Stroke color={side.color} dash={side.dash} /> {side.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.path}>
              <th scope="row" class="text">
                <code>{row.path}</code>
              </th>
              {row.cells.map((cell, i) => (
                <td key={sides[i]!.runs[0]!.id} class={cell.derived ? "text muted" : "text"}>
                  {cell.text}
                  {cell.derived && (
                    <i class="by-method" title="from the method">
                      m
                    </i>
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
