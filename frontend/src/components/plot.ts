/** How a line chart looks and answers: uPlot's options, and what keys mean. `LineChart` holds the plot itself. */
import type uPlot from "uplot";
import type { Mover, StepCursor, Zoom } from "../cursor";
import { count } from "../format";
import { MARGIN } from "../pictures/heatmap";
import { cssVar, FONT } from "../theme";

export interface Line {
  label: string;
  values: (number | null | undefined)[];
  color: string;
  width?: number;
  dash?: number[];
  faint?: boolean;
}

export interface Props {
  x: number[];
  lines: Line[];
  height: number;
  format: (value: number) => string;
  /** Left and right edge of the x axis when not zoomed; null fits the data. */
  span?: [number, number] | null;
  yMax?: number | null;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
  label: string;
  /** Steps with a value that is not a number. */
  broken?: readonly number[];
  resumedAt?: readonly number[];
  onIndex: (index: number | null) => void;
  plotRef?: { current: uPlot | null };
}

export const dataOf = ({ x, lines }: Props): uPlot.AlignedData =>
  [x, ...lines.map((l) => l.values)] as uPlot.AlignedData;

export function fit(u: uPlot, { x, span, zoom }: Props): void {
  const [min, max] = zoom ?? span ?? [x[0] ?? 0, x.at(-1) ?? 1];
  u.setScale("x", { min, max: Math.max(max, min + 1) });
}

/** Moves uPlot's cursor without telling anybody. */
export function show(u: uPlot, i: number): void {
  const step = u.data[0][i];
  if (step === undefined) u.setCursor({ left: -10, top: -10 }, false);
  else u.setCursor({ left: u.valToPos(step, "x"), top: u.bbox.height / 2 / devicePixelRatio }, false);
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

export function keyZoom(event: KeyboardEvent, u: uPlot, x: number[]): Zoom | undefined {
  if (event.key === "0") return null;
  if (!["+", "=", "-"].includes(event.key)) return undefined;
  const [min, max] = [u.scales.x!.min!, u.scales.x!.max!];
  const middle = u.cursor.idx == null ? (min + max) / 2 : x[u.cursor.idx]!;
  const half = ((max - min) / 2) * (event.key === "-" ? 2 : 0.5);
  const [first, last] = [x[0] ?? 0, x.at(-1) ?? 1];
  if (half * 2 >= last - first) return null;
  return [Math.max(first, middle - half), Math.min(last, middle + half)];
}

export function options(now: { current: Props }, follower: Mover, width: number): uPlot.Options {
  const font = `12px ${FONT}`;
  const axis = { stroke: () => cssVar("ink-2"), font, ticks: { stroke: () => cssVar("line"), width: 1, size: 5 } };
  return {
    width,
    height: now.current.height,
    padding: [10, MARGIN.right, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
    },
    scales: { x: { time: false, auto: false }, y: { range: (_u, low, high) => yRange(low, high, now.current.yMax) } },
    axes: [
      {
        ...axis,
        size: 27,
        gap: 4,
        space: 80,
        grid: { show: false },
        label: "training step",
        labelSize: 18,
        labelGap: 0,
        labelFont: font,
        incrs: STEPS,
        values: (_u, at) => at.map(count),
      },
      {
        ...axis,
        size: MARGIN.left,
        gap: 6,
        space: 34,
        grid: { stroke: () => cssVar("grid"), width: 1 },
        values: (_u, at) => at.map(now.current.format),
      },
    ],
    series: [{}, ...now.current.lines.map(seriesOf)],
    hooks: {
      setCursor: [(u) => pointed(u, now.current, follower)],
      setSelect: [(u) => selected(u, now.current)],
      draw: [(u) => marks(u, now.current)],
      ready: [(u) => u.over.addEventListener("dblclick", () => now.current.onZoom(null))],
    },
  };
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

function seriesOf(line: Line): uPlot.Series {
  return {
    label: line.label,
    stroke: () => cssVar(line.color),
    width: line.width ?? 2,
    dash: line.dash,
    alpha: line.faint ? 0.4 : 1,
    points: { show: (u) => u.data[0].length <= 2 },
  };
}

function yRange(low: number | null, high: number | null, yMax: number | null | undefined): [number, number] {
  if (yMax !== null && yMax !== undefined) return [0, yMax];
  const [a, b] = [Math.min(0, low ?? 0), high ?? 1];
  return [a, b > a ? b + (b - a) * 0.08 : a + 1];
}

function pointed(u: uPlot, { onIndex, cursor, x }: Props, follower: Mover): void {
  // Only a real pointer speaks for the others; `setCursor` from outside has no event.
  if (!u.cursor.event) return;
  const i = u.cursor.left != null && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null;
  onIndex(i);
  cursor.move(i === null ? null : x[i]!, follower);
}

function selected(u: uPlot, { onZoom, onIndex, cursor }: Props): void {
  const { left, width } = u.select;
  if (width < 6) return;
  onZoom([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  // What was under the pointer is no longer there.
  u.setCursor({ left: -10, top: -10 }, false);
  onIndex(null);
  cursor.move(null);
}

/** Red ticks where a value was not a number; dashed lines where an attempt took over. */
function marks(u: uPlot, { broken = [], resumedAt = [] }: Props): void {
  const { ctx, bbox } = u;
  const line = (step: number, color: string, y0: number, dash: number[]): void => {
    const x = u.valToPos(step, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.strokeStyle = cssVar(color);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash(dash.map((d) => d * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(x, y0);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  };
  ctx.save();
  for (const step of resumedAt) line(step, "warn", bbox.top, [4, 3]);
  for (const step of broken) line(step, "bad", bbox.top + bbox.height - 10 * devicePixelRatio, []);
  ctx.restore();
}
