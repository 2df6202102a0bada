/** Who is who: each side with its stroke, to be shown or hidden, looked at, or taken out. */
import { Stroke } from "../../components/Legend";
import { StateChip } from "../../components/parts";
import type { Side } from "../../pictures/sides";
import { setHidden, setRuns } from "./view";

interface Props {
  sides: readonly Side[];
  hidden: readonly string[];
  ids: readonly string[];
}

export function SidesLegend({ sides, hidden, ids }: Props) {
  const toggle = (side: Side, off: boolean): void => {
    const own = side.runs.map((run) => run.id);
    const others = hidden.filter((id) => !own.includes(id));
    setHidden(off ? others : [...others, ...own]);
  };
  return (
    <ul class="sides" aria-label="Runs that are compared">
      {sides.map((side) => {
        const off = side.runs.every((run) => hidden.includes(run.id));
        const own = side.runs.map((run) => run.id);
        return (
          <li key={side.runs[0]!.id} class={off ? "card off" : "card"}>
            <button type="button" class="quiet" aria-pressed={!off} onClick={() => toggle(side, off)}>
              <Stroke color={side.color} dash={side.dash} faint={off} />
              <span class="side-name">{side.label}</span>
            </button>
            {side.runs.map((run, i) => (
              <a key={run.id} href={`/runs/${run.id}`} title={`Open ${run.name || run.id}`}>
                {side.runs.length > 1 ? `seed ${String(run.spec.seed ?? i + 1)}` : <StateChip run={run} />}
              </a>
            ))}
            <button
              type="button"
              class="quiet"
              aria-label={`Take ${side.label} out of the comparison`}
              onClick={() => setRuns(ids.filter((id) => !own.includes(id)))}
            >
              ✕
            </button>
          </li>
        );
      })}
    </ul>
  );
}
