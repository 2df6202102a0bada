/** How all panels of a page show their curves; every choice is in the URL. */
import type { Zoom } from "../cursor";
import { count } from "../format";
import { AXIS_NAMES, type AxisKind, isAxis } from "../pictures/xaxis";
import { setQuery } from "../router";

export interface PlotChoice {
  axis: AxisKind;
  log: boolean;
  /** Steps of the trailing mean; 1 is none. */
  smooth: number;
}

const WINDOWS = [1, 10, 50, 200, 1000];

/** Ten steps, or about a fiftieth of a long run. */
export const usualSmooth = (steps: number): number =>
  WINDOWS.findLast((window) => window === 10 || (window > 10 && window * 50 <= steps)) ?? 10;

export function choiceOf(query: URLSearchParams, steps: number): PlotChoice {
  const axis = query.get("x");
  const smooth = Number(query.get("smooth"));
  return {
    axis: isAxis(axis) ? axis : "step",
    log: query.get("log") === "1",
    smooth: Number.isInteger(smooth) && smooth >= 1 && smooth <= 10_000 ? smooth : usualSmooth(steps),
  };
}

interface Props {
  choice: PlotChoice;
  steps: number;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
}

export function PlotControls({ choice, steps, zoom, onZoom }: Props) {
  const windows = [...new Set([...WINDOWS.filter((w) => w <= 10 || w * 5 <= steps), choice.smooth])].sort(
    (a, b) => a - b,
  );
  const usual = usualSmooth(steps);
  return (
    <div class="plot-controls" role="group" aria-label="How the curves are shown">
      <span class="segments" role="group" aria-label="x axis">
        {(Object.keys(AXIS_NAMES) as AxisKind[]).map((kind) => (
          <button
            key={kind}
            type="button"
            aria-pressed={choice.axis === kind}
            onClick={() => setQuery("x", kind === "step" ? null : kind)}
          >
            {AXIS_NAMES[kind]}
          </button>
        ))}
      </span>
      <label>
        smoothing{" "}
        <select
          value={String(choice.smooth)}
          onChange={(e) => setQuery("smooth", e.currentTarget.value === String(usual) ? null : e.currentTarget.value)}
        >
          {windows.map((window) => (
            <option key={window} value={String(window)}>
              {window === 1 ? "none" : `mean of ${count(window)} steps`}
            </option>
          ))}
        </select>
      </label>
      <label>
        <input
          type="checkbox"
          checked={choice.log}
          onChange={(e) => setQuery("log", e.currentTarget.checked ? "1" : null)}
        />{" "}
        log scale
      </label>
      {zoom && (
        <button type="button" class="quiet" onClick={() => onZoom(null)}>
          all steps
        </button>
      )}
    </div>
  );
}
