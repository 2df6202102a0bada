/** What it brought: scores, and their differences from a baseline in pairs on the same problems. */
import { getBoard } from "../../api/board";
import { Failed } from "../../components/parts";
import { useSlow } from "../../components/slow";
import { percent } from "../../format";
import { useLoaded } from "../../loaded";
import {
  deltaWords,
  intervalName,
  intervalWords,
  pWords,
  type ScoreSet,
  type Standing,
  scoreSets,
  sizeWords,
  verdictWords,
} from "../../pictures/board";
import type { Side } from "../../pictures/sides";
import { setQuery } from "../../router";
import { useStore } from "../../store/state";
import type { Board } from "../../types";

interface Props {
  ids: string[];
  sides: readonly Side[];
  apart: boolean;
  /** The run that the URL names as the baseline. */
  wanted: string | null;
}

/** The baseline is the wanted run, or the first that has scores. */
async function read(ids: string[], group: "none" | "seeds", wanted: string | null): Promise<Board> {
  const asked = { run: ids, group, limit: 200 };
  const board = await getBoard(asked);
  const scored = ids.filter((id) => board.data.some((line) => line.runs.some((run) => run.id === id)));
  const baseline = wanted && scored.includes(wanted) ? wanted : scored[0];
  return baseline && board.data.length > 1 ? getBoard({ ...asked, baseline }) : board;
}

export function DeltaTable({ ids, sides, apart, wanted }: Props) {
  const scored = useSlow(useStore().scored, 1000);
  const group = apart ? "none" : "seeds";
  const [board, again] = useLoaded(() => read(ids, group, wanted), [ids, group, wanted], scored);
  return (
    <section class="card compare-part" aria-labelledby="score-differences">
      <h2 id="score-differences">Benchmark scores</h2>
      {board.state === "loading" && <p class="muted">Reading…</p>}
      <Failed of={board} again={again} />
      {board.state === "ready" && <Scores board={board.value} sides={sides} />}
    </section>
  );
}

function Scores({ board, sides }: { board: Board; sides: readonly Side[] }) {
  const sets = scoreSets(board, "score");
  if (sets.length === 0) return <p class="muted">None of these runs has been evaluated yet.</p>;
  const base = sides.find((side) => side.runs.some((run) => board.baseline?.runs.some(({ id }) => id === run.id)));
  const shown = sides.filter((side) => sets.some((set) => rowOf(set, side)));
  return (
    <>
      <p class="summary">
        Each score with its interval, in percent; below it the difference from the baseline in points, in pairs on the
        same problems. Grey: the interval of the difference holds 0, so it decides nothing.{" "}
        <a href={`/benchmarks${base ? `?baseline=${base.runs[0]!.id}` : ""}`}>The whole board</a>
      </p>
      {base && (
        <label class="baseline">
          Baseline{" "}
          <select value={base.runs[0]!.id} onChange={(e) => setQuery("baseline", e.currentTarget.value)}>
            {shown.map((side) => (
              <option key={side.runs[0]!.id} value={side.runs[0]!.id}>
                {side.label}
              </option>
            ))}
          </select>
        </label>
      )}
      <div class="table-wrap" tabIndex={0} role="region" aria-label="Scores and differences">
        <table class="numbers delta-table">
          <thead>
            <tr>
              <th scope="col" class="text">
                run
              </th>
              {sets.map((set) => (
                <th key={`${set.benchmark} ${set.metric}`} scope="col">
                  {set.benchmark} {set.metric}
                  <span class="size">{sizesOf(set)}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((side) => (
              <tr key={side.runs[0]!.id}>
                <th scope="row" class="text">
                  {side.label}
                </th>
                {sets.map((set) => (
                  <Cell key={`${set.benchmark} ${set.metric}`} row={rowOf(set, side)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const rowOf = (set: ScoreSet, side: Side): Standing | undefined =>
  set.rows.find((row) => row.line.runs.some(({ id }) => side.runs.some((run) => run.id === id)));

const sizesOf = ({ rows }: ScoreSet): string =>
  [...new Set(rows.map(({ cell }) => [sizeWords(cell), intervalName(cell)].filter(Boolean).join(", ")))].join("; ");

function Cell({ row }: { row: Standing | undefined }) {
  if (!row) return <td class="muted">not evaluated</td>;
  const { cell, verdict } = row;
  return (
    <td class={verdict === "alike" || verdict === "apart" ? "greyed" : ""}>
      <b>{percent(cell.score)}</b> <span class="muted">[{intervalWords(cell)}]</span>
      <br />
      {cell.delta ? (
        <span title={verdictWords(row)}>
          {deltaWords(cell)}, {pWords(cell.delta.p)}
        </span>
      ) : (
        <span class="muted apart">{verdictWords(row) || " "}</span>
      )}
      {cell.delta && <span class="hidden-words">, {verdictWords(row)}</span>}
    </td>
  );
}
