/** Lines as data: what a chart draws on its canvas, and the same as a drawing for the SVG. */
import { ticks } from "./axis";
import { MARGIN } from "./heatmap";
import { isStroke, MARKERS, type Marker, placed, SIZE, shapeOf } from "./markers";
import type { Drawing, Mark } from "./marks";
import { type Axis, STEPS } from "./xaxis";

export type Value = number | null | undefined;

export interface Line {
  label: string;
  /** undefined: no point there, the line runs on; null: a gap. */
  values: Value[];
  color: string;
  width?: number;
  dash?: number[];
  faint?: boolean;
  /** Lower and upper edge of a band: percentiles, the extremes of a bucket, the spread of seeds. */
  band?: { low: Value[]; high: Value[] };
  /** A dot at each value: for the few points of an evaluation. */
  dots?: boolean;
}

export interface LinePicture {
  /** Training steps, rising. */
  x: number[];
  lines: Line[];
  axis?: Axis;
  log?: boolean;
  format: (value: number) => string;
  yMax?: number | null;
  markers?: readonly Marker[];
  /** Steps with a value that is not a number. */
  broken?: readonly number[];
}

/** The values as a logarithm can show them: at or below zero there is a gap. */
const positive = (values: Value[]): Value[] => values.map((v) => (v != null && v <= 0 ? null : v));

/** All columns of the plot: the lines, then low and high of each band. */
export function columnsOf({ lines, log }: Pick<LinePicture, "lines" | "log">): Value[][] {
  const bands = lines.flatMap(({ band }) => (band ? [band.low, band.high] : []));
  const all = [...lines.map((line) => line.values), ...bands];
  return log ? all.map(positive) : all;
}

/** How many values a logarithmic scale cannot show; the page says so. */
export const belowLog = (lines: readonly Line[]): number =>
  lines.reduce((sum, { values }) => sum + values.filter((v) => v != null && v <= 0).length, 0);

const LEADS = [1, 2, 5, 10];

/** The y axis: from zero, or between round numbers of a logarithm. */
export function yRange(
  low: number | null,
  high: number | null,
  yMax: number | null | undefined,
  log = false,
): [number, number] {
  if (log) {
    const [a, b] = [low && low > 0 ? low : 0.1, high && high > 0 ? high : 1];
    const [down, up] = [10 ** Math.floor(Math.log10(a)), 10 ** Math.floor(Math.log10(b))];
    const from = LEADS.findLast((lead) => lead * down <= a * 1.0001)! * down;
    const to = (LEADS.find((lead) => lead * up >= b * 0.9999) ?? 10) * up;
    return to > from ? [from, to] : [from / 2, to * 2];
  }
  if (yMax !== null && yMax !== undefined) return [0, yMax];
  const [a, b] = [Math.min(0, low ?? 0), high ?? 1];
  return [a, b > a ? b + (b - a) * 0.08 : a + 1];
}

function logTicks(low: number, high: number): number[] {
  const leads = high / low > 1000 ? [1] : [1, 2, 5];
  const out: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1)
    for (const lead of leads) {
      const tick = lead * 10 ** power;
      if (tick >= low * 0.9999 && tick <= high * 1.0001) out.push(tick);
    }
  return out;
}

/** The window of steps as a drawing. */
export function drawLines(p: LinePicture, width: number, height: number, window: [number, number]): Drawing {
  const axis = p.axis ?? STEPS;
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, 10, height - 45];
  const [from, to] = window.map(axis.at) as [number, number];
  const shown = p.x.map((step, i) => (step >= window[0] && step <= window[1] ? i : -1)).filter((i) => i >= 0);
  // One step more on either side, so that lines reach the edges; what is beyond them is cut off.
  const wider = shown.length ? range(Math.max(0, shown[0]! - 1), Math.min(p.x.length - 1, shown.at(-1)! + 1)) : [];
  const columns = columnsOf(p);
  const seen = columns.flatMap((c) => shown.map((i) => c[i]).filter((v): v is number => v != null));
  const [low, high] = yRange(extreme(seen, Math.min), extreme(seen, Math.max), p.yMax, p.log);
  const scale = p.log ? Math.log10 : (v: number) => v;
  const xOf = (step: number): number => left + ((axis.at(step) - from) / (to - from)) * (right - left);
  const yOf = (v: number): number => bottom - ((scale(v) - scale(low)) / (scale(high) - scale(low))) * (bottom - top);
  const inside = (x: number): number => Math.min(right, Math.max(left, x));

  const marks: Mark[] = [];
  for (const tick of p.log ? logTicks(low, high) : ticks(low, high, (bottom - top) / 40)) {
    const y = yOf(tick);
    marks.push({ kind: "line", x1: left, x2: right, y1: y, y2: y, stroke: "grid", width: 1 });
    marks.push({ kind: "text", x: left - 8, y: y + 4, text: p.format(tick), fill: "ink-2", size: 12, anchor: "end" });
  }
  for (const tick of ticks(from, to, (right - left) / 90, axis.steps)) {
    const x = left + ((tick - from) / (to - from)) * (right - left);
    marks.push({ kind: "line", x1: x, x2: x, y1: bottom, y2: bottom + 5, stroke: "line", width: 1 });
    marks.push({ kind: "text", x, y: bottom + 19, text: axis.format(tick), fill: "ink-2", size: 12, anchor: "middle" });
  }
  const middle = (left + right) / 2;
  marks.push({ kind: "text", x: middle, y: bottom + 38, text: axis.label, fill: "ink-2", size: 12, anchor: "middle" });

  const point = (i: number, v: number): string => `${fix(inside(xOf(p.x[i]!)))} ${fix(yOf(v))}`;
  let next = p.lines.length;
  for (const line of p.lines) {
    if (!line.band) continue;
    const [lows, highs] = [columns[next]!, columns[next + 1]!];
    next += 2;
    const whole = wider.filter((i) => lows[i] != null && highs[i] != null);
    if (whole.length < 2) continue;
    const edge = [...whole.map((i) => point(i, highs[i]!)), ...whole.reverse().map((i) => point(i, lows[i]!))];
    marks.push({ kind: "path", d: `M${edge.join("L")}Z`, fill: line.color, opacity: BAND });
  }
  p.lines.forEach((line, k) => {
    const d = linePath(wider, columns[k]!, point);
    const style = {
      stroke: line.color,
      width: line.width ?? 2,
      dash: line.dash,
      opacity: line.faint ? FAINT : undefined,
    };
    if (d) marks.push({ kind: "path", d, ...style });
    if (!line.dots) return;
    for (const i of shown) {
      const v = columns[k]![i];
      if (v != null) marks.push({ kind: "circle", cx: xOf(p.x[i]!), cy: yOf(v), r: 3, fill: line.color });
    }
  });
  for (const step of p.broken ?? [])
    if (step >= window[0] && step <= window[1])
      marks.push({
        kind: "line",
        x1: xOf(step),
        x2: xOf(step),
        y1: bottom - 10,
        y2: bottom,
        stroke: "bad",
        width: 1.5,
      });
  const within = (p.markers ?? []).filter(({ step }) => step >= window[0] && step <= window[1]);
  for (const [{ kind }, x] of placed(within, xOf)) marks.push(...markerMarks(kind, x, top, bottom));
  return { width, height, marks };
}

/** How strong a band and a faint line are, on canvas and in the SVG. */
export const BAND = 0.18;
export const FAINT = 0.4;

export function markerMarks(kind: Marker["kind"], x: number, top: number, bottom: number): Mark[] {
  const { color, row } = MARKERS[kind];
  const y = bottom - 6 - row * (SIZE + 2);
  const style = isStroke(kind) ? { stroke: color, width: 1.8 } : { fill: color };
  if (kind !== "restart") return [{ kind: "path", d: shapeOf(kind, x, y), ...style }];
  return [
    { kind: "path", d: `M${x} ${top}V${bottom}`, stroke: color, width: 1.5, dash: [4, 3] },
    { kind: "path", d: shapeOf(kind, x, top + SIZE / 2), ...style },
  ];
}

function linePath(
  places: readonly number[],
  values: readonly Value[],
  point: (i: number, v: number) => string,
): string {
  let d = "";
  let pen = false;
  for (const i of places) {
    const v = values[i];
    if (v === undefined) continue;
    if (v !== null) d += `${pen ? "L" : "M"}${point(i, v)}`;
    pen = v !== null;
  }
  return d;
}

const fix = (x: number): string => String(Math.round(x * 100) / 100);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const extreme = (values: readonly number[], pick: (a: number, b: number) => number): number | null =>
  values.length ? values.reduce((a, b) => pick(a, b)) : null;
