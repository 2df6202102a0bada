/** How a line chart looks and answers: uPlot's options, and what keys mean. `LineChart` holds the plot itself. */
import type uPlot from "uplot";
import type { Mover, StepCursor, Zoom } from "../cursor";
import { MARGIN } from "../pictures/heatmap";
import { BAND, columnsOf, FAINT, type Line, type LinePicture, markerMarks, yRange } from "../pictures/lines";
import { placed } from "../pictures/markers";
import { paint } from "../pictures/marks";
import { STEPS } from "../pictures/xaxis";
import { cssVar, FONT } from "../theme";

export type { Line };

export interface Props extends LinePicture {
  height: number;
  /** Left and right edge of the x axis when not zoomed; null fits the data. */
  span?: [number, number] | null;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
  label: string;
  onIndex: (index: number | null) => void;
  plotRef?: { current: uPlot | null };
}

export function dataOf(props: Props): uPlot.AlignedData {
  const { x, axis = STEPS } = props;
  return [axis === STEPS ? x : x.map(axis.at), ...columnsOf(props)] as uPlot.AlignedData;
}

/** First and last step in view. */
export function windowOf({ x, span, zoom }: Pick<Props, "x" | "span" | "zoom">): [number, number] {
  const [min, max] = zoom ?? span ?? [x[0] ?? 0, x.at(-1) ?? 1];
  return [min, Math.max(max, min + 1)];
}

export function fit(u: uPlot, props: Props): void {
  const [min, max] = windowOf(props).map((props.axis ?? STEPS).at) as [number, number];
  u.setScale("x", { min, max });
}

/** Moves uPlot's cursor without telling anybody. */
export function show(u: uPlot, i: number): void {
  const at = u.data[0][i];
  if (at === undefined) u.setCursor({ left: -10, top: -10 }, false);
  else u.setCursor({ left: u.valToPos(at, "x"), top: u.bbox.height / 2 / devicePixelRatio }, false);
}

export function keyStep(event: KeyboardEvent, at: number | null, x: number[]): number | null | undefined {
  const last = x.length - 1;
  const far = event.shiftKey ? 10 : 1;
  const clamp = (i: number): number => Math.min(last, Math.max(0, i));
  if (event.key === "ArrowLeft") return clamp(at === null ? last : at - far);
  if (event.key === "ArrowRight") return clamp(at === null ? last : at + far);
  if (event.key === "Home") return 0;
  if (event.key === "End") return last;
  return event.key === "Escape" ? null : undefined;
}

/** `at` is the place under the cursor, around which one zooms. */
export function keyZoom(event: KeyboardEvent, at: number | null, props: Props): Zoom | undefined {
  if (event.key === "0") return null;
  if (!["+", "=", "-"].includes(event.key)) return undefined;
  const { x } = props;
  const [min, max] = windowOf(props);
  const middle = at === null ? (min + max) / 2 : x[at]!;
  const half = ((max - min) / 2) * (event.key === "-" ? 2 : 0.5);
  const [first, last] = [x[0] ?? 0, x.at(-1) ?? 1];
  if (half * 2 >= last - first) return null;
  return [Math.max(first, middle - half), Math.min(last, middle + half)];
}

const SHIFTS: Record<string, number> = { PageUp: -0.5, PageDown: 0.5 };

/** The window moved along by a part of itself; as it is at an end of the run, or where all is in view. */
export function panned(part: number, props: Props): Zoom {
  const { x, zoom } = props;
  if (!zoom) return null;
  const [min, max] = zoom;
  const [first, last] = [Math.min(x[0] ?? 0, min), Math.max(x.at(-1) ?? 1, max)];
  const by = Math.min(last - max, Math.max(first - min, part * (max - min)));
  return [min + by, max + by];
}

export const keyPan = (event: KeyboardEvent, props: Props): Zoom | undefined =>
  event.key in SHIFTS && props.zoom ? panned(SHIFTS[event.key]!, props) : undefined;

/** A wheel that goes sideways, or with shift, moves the window; the page's own scrolling is left alone. */
export function wheelPan(event: WheelEvent, u: uPlot, props: Props): Zoom | undefined {
  const by = event.deltaX || (event.shiftKey ? event.deltaY : 0);
  if (!props.zoom || !by || Math.abs(event.deltaY) > Math.abs(by)) return undefined;
  return panned(by / Math.max(1, u.over.clientWidth), props);
}

export function options(now: { current: Props }, follower: Mover, width: number): uPlot.Options {
  const { lines, axis = STEPS, log = false, height } = now.current;
  const font = `12px ${FONT}`;
  const style = { stroke: () => cssVar("ink-2"), font, ticks: { stroke: () => cssVar("line"), width: 1, size: 5 } };
  return {
    width,
    height,
    padding: [10, MARGIN.right, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: (_u, series) => (series <= lines.length ? 7 : 0) }, // not on the edges of bands
    },
    scales: {
      x: { time: false, auto: false },
      y: { distr: log ? 3 : 1, range: (_u, low, high) => yRange(low, high, now.current.yMax, log) },
    },
    axes: [
      {
        ...style,
        size: 27,
        gap: 4,
        space: 80,
        grid: { show: false },
        label: axis.label,
        labelSize: 18,
        labelGap: 0,
        labelFont: font,
        incrs: axis.steps,
        values: (_u, at) => at.map(axis.format),
      },
      {
        ...style,
        size: MARGIN.left,
        gap: 6,
        space: 34,
        grid: { stroke: () => cssVar("grid"), width: 1 },
        // A logarithmic axis has places without a name between its powers.
        values: (_u, at) => at.map((v) => (v === null ? "" : now.current.format(v))),
      },
    ],
    series: [{}, ...lines.map(seriesOf), ...lines.flatMap(edgesOf)],
    bands: bandsOf(lines),
    hooks: {
      setCursor: [(u) => pointed(u, now.current, follower)],
      setSelect: [(u) => selected(u, now.current)],
      draw: [(u) => drawMarks(u, now.current)],
      ready: [(u) => u.over.addEventListener("dblclick", () => now.current.onZoom(null))],
    },
  };
}

function seriesOf(line: Line): uPlot.Series {
  return {
    label: line.label,
    stroke: () => cssVar(line.color),
    width: line.width ?? 2,
    dash: line.dash,
    alpha: line.faint ? FAINT : 1,
    points: { show: (u) => line.dots || u.data[0].length <= 2, size: 6, fill: () => cssVar(line.color) },
  };
}

const edgesOf = ({ band }: Line): uPlot.Series[] =>
  band ? [0, 1].map(() => ({ width: 0, stroke: "transparent", points: { show: false } })) : [];

function bandsOf(lines: readonly Line[]): uPlot.Band[] {
  let next = lines.length + 1; // series 0 is x
  return lines.flatMap(({ band, color }) => {
    if (!band) return [];
    const series: [number, number] = [next + 1, next];
    next += 2;
    const alpha = Math.round(BAND * 255).toString(16);
    return [{ series, fill: () => cssVar(color) + alpha }];
  });
}

function pointed(u: uPlot, { onIndex, cursor, x }: Props, follower: Mover): void {
  // Only a real pointer speaks for the others; `setCursor` from outside has no event.
  if (!u.cursor.event) return;
  const i = u.cursor.left != null && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null;
  onIndex(i);
  cursor.move(i === null ? null : x[i]!, follower);
}

function selected(u: uPlot, { onZoom, onIndex, cursor, axis = STEPS }: Props): void {
  const { left, width } = u.select;
  if (width < 6) return;
  onZoom([axis.stepAt(u.posToVal(left, "x")), axis.stepAt(u.posToVal(left + width, "x"))]);
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  // What was under the pointer is no longer there.
  u.setCursor({ left: -10, top: -10 }, false);
  onIndex(null);
  cursor.move(null);
}

/** Red ticks where a value was not a number, and the shapes of what happened. */
function drawMarks(u: uPlot, { broken = [], markers = [], axis = STEPS }: Props): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const [left, top, right, bottom] = [bbox.left, bbox.top, bbox.left + bbox.width, bbox.top + bbox.height].map(
    (x) => x / ratio,
  ) as [number, number, number, number];
  const toX = (step: number): number => u.valToPos(axis.at(step), "x", true) / ratio;
  const inView = (step: number): boolean => toX(step) >= left - 0.5 && toX(step) <= right + 0.5;
  ctx.save();
  ctx.scale(ratio, ratio);
  const ticks = broken.filter(inView).map(toX);
  const shapes = placed(
    markers.filter(({ step }) => inView(step)),
    toX,
  ).flatMap(([{ kind }, x]) => markerMarks(kind, x, top, bottom));
  const red = { kind: "line", y1: bottom - 10, y2: bottom, stroke: "bad", width: 1.5 } as const;
  paint(ctx, [...shapes, ...ticks.map((x) => ({ ...red, x1: x, x2: x }))], FONT, cssVar);
  ctx.restore();
}
