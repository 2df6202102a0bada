/** One plot of a panel: its legend with the numbers under the cursor, and its lines. */
import type { StepCursor, Zoom } from "../cursor";
import { count } from "../format";
import type { RunData } from "../live";
import type { Plot } from "../panels";
import { belowLog, type LinePicture } from "../pictures/lines";
import type { Marker } from "../pictures/markers";
import { type PlotLines, topOf, valueAt } from "../pictures/panel";
import type { Axis } from "../pictures/xaxis";
import { Legend } from "./Legend";
import { LineChart } from "./LineChart";
import { MarkerLegend } from "./MarkerLegend";
import type { PlotChoice } from "./PlotControls";

/** What all panels of the page share. */
export interface PlotView {
  data: RunData;
  choice: PlotChoice;
  axis: Axis;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
  span: [number, number];
}

interface Props {
  plot: Plot;
  lines: PlotLines;
  view: PlotView;
  markers: readonly Marker[];
  /** The names of the marks stand once, below the last plot. */
  last: boolean;
  visible: boolean;
  height: number;
  at: number | null;
  onStep: (step: number | null) => void;
}

/** Shares stay on a linear scale: their ends mean something. */
const isLog = (plot: Plot, { choice }: PlotView): boolean => choice.log && plot.top === undefined;

export function pictureOf(
  plot: Plot,
  { x, lines, broken }: PlotLines,
  view: PlotView,
  markers: readonly Marker[],
): LinePicture {
  const format = (v: number): string => plot.format(v);
  return { x, lines, broken, markers, format, axis: view.axis, log: isLog(plot, view), yMax: topOf(plot.top, lines) };
}

export function PlotPart({ plot, lines, view, markers, last, visible, height, at, onStep }: Props) {
  const picture = pictureOf(plot, lines, view, markers);
  const items = lines.named.map((k) => {
    const line = lines.lines[k]!;
    return { label: line.label, color: line.color, dash: line.dash, value: plot.format(valueAt(line, at)) };
  });
  const below = picture.log ? belowLog(lines.lines) : 0;
  const notes = [
    plot.band && `band: ${plot.band.name}`,
    plot.source === "scores" && "bands: intervals",
    lines.broken.length > 0 && "red tick: not a number",
    below > 0 && `${count(below)} values at or below 0 are not on a log scale`,
  ].filter(Boolean);
  return (
    <>
      {plot.title && <h3 class="plot-title">{plot.title}</h3>}
      <Legend items={items} note={notes.join(" · ") || undefined} />
      {visible ? (
        <LineChart
          {...picture}
          height={height}
          span={view.span}
          zoom={view.zoom}
          onZoom={view.onZoom}
          cursor={view.cursor}
          label={plot.title || items.map((item) => item.label).join(", ")}
          onIndex={(i) => onStep(i === null ? null : (lines.x[i] ?? null))}
        />
      ) : (
        <div style={{ height: `${height}px` }} />
      )}
      {last && <MarkerLegend markers={markers} />}
    </>
  );
}
