/** At a glance: does it learn, what does it still need, is it healthy, is it fast. */
import { useMemo } from "preact/hooks";
import { Guard } from "../../components/Guard";
import { PanelFigure } from "../../components/PanelFigure";
import { choiceOf, PlotControls } from "../../components/PlotControls";
import type { PlotView } from "../../components/PlotPart";
import { count } from "../../format";
import { PANELS } from "../../panels";
import { AXIS_KEYS, AXIS_NAMES, type Axis, cumulated, STEPS } from "../../pictures/xaxis";
import { useCurves } from "../../useCurves";
import type { RunPartProps } from "../Run";
import "./Overview.css";

const NO_KEYS: string[] = [];

export default function Overview({ data, query, ...shared }: RunPartProps) {
  const { total_steps, step } = data.detail;
  const choice = choiceOf(query, total_steps);
  const kind = choice.axis;
  const axisKey = kind === "step" ? null : AXIS_KEYS[kind];
  const keys = useMemo(() => (axisKey ? [axisKey] : NO_KEYS), [axisKey]);
  const curves = useCurves(data.curves, keys, choice.smooth, null, true);
  const column = axisKey ? curves?.raw.get(axisKey) : undefined;
  const axis: Axis = useMemo(
    () => (kind !== "step" && column && column.steps.length > 0 ? cumulated(kind, column) : STEPS),
    [kind, column, column?.steps.length],
  );
  const last = Math.max(1, step);
  const span = useMemo((): [number, number] => [0, last], [last]);
  const view: PlotView = { data, choice, axis, span, ...shared };
  // As the lines are, not as they were asked for: another smoothing may not be read yet.
  const smooth = data.curves.raw.size ? data.curves.window : choice.smooth;
  const missing = kind !== "step" && column && column.steps.length === 0;
  return (
    <>
      <div class="overview-head">
        <PlotControls choice={choice} steps={total_steps} {...shared} />
        <a class="compare" href={`/compare?run=${data.detail.id}`}>
          Compare…
        </a>
      </div>
      <p class="muted plot-note">
        {smooth > 1
          ? `Lines: mean of the last ${count(smooth)} steps; behind them each step, or the range of several.`
          : "Lines: each step, or the mean of several with their range."}
        {missing && ` This run does not report ${AXIS_NAMES[kind]}: the axis shows steps.`}
      </p>
      <div class="panels">
        {PANELS.map((panel) => (
          <Guard key={panel.file}>
            <PanelFigure panel={panel} view={view} />
          </Guard>
        ))}
      </div>
    </>
  );
}
