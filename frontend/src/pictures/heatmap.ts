/** Geometry and painting of a heat map; which cell a point is in is the same arithmetic as where a cell is drawn. */
import { ticks } from "./axis";
import { type Colouring, cellValue, type HeatData } from "./guidance";
import type { Drawing, Mark } from "./marks";
import { css, rampColor, rateToRamp, shareToRamp } from "./ramp";
import { type Axis, STEPS } from "./xaxis";

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface HeatLayout {
  plot: Box;
  /** Steps at the left and right edge. */
  from: number;
  to: number;
  rows: number;
  axis: Axis;
}

/** Left and right margins; line charts on the same page use them too, so that steps stand above each other. */
export const MARGIN = { left: 76, right: 16 };

export function heatLayout(
  data: HeatData,
  width: number,
  height: number,
  zoom: [number, number] | null,
  axis = STEPS,
): HeatLayout {
  const plot = {
    left: MARGIN.left,
    top: 6,
    width: Math.max(10, width - MARGIN.left - MARGIN.right),
    height: height - 46,
  };
  const [first, last] = [data.columns[0], data.columns.at(-1)];
  const [from, to] = zoom ?? [(first?.from ?? 0) + 0.5, (last?.to ?? 1) + 0.5];
  return { plot, from, to: Math.max(to, from + 1), rows: Math.max(1, data.rows.length), axis };
}

/** The ends of the axis, in what it counts. */
const endsOf = ({ axis, from, to }: HeatLayout): [number, number] => [axis.at(from), axis.at(to)];

function valueToX(l: HeatLayout, value: number): number {
  const [low, high] = endsOf(l);
  return l.plot.left + ((value - low) / (high - low)) * l.plot.width;
}

export const stepToX = (l: HeatLayout, step: number): number => valueToX(l, l.axis.at(step));

export function xToStep(l: HeatLayout, x: number): number {
  const [low, high] = endsOf(l);
  return l.axis.stepAt(low + ((x - l.plot.left) / l.plot.width) * (high - low));
}

export function cellBox(l: HeatLayout, data: HeatData, r: number, c: number): Box {
  const column = data.columns[c]!;
  const [x0, x1] = [stepToX(l, column.from + 0.5), stepToX(l, column.to + 0.5)];
  const height = l.plot.height / l.rows;
  const left = Math.max(l.plot.left, x0);
  const right = Math.min(l.plot.left + l.plot.width, x1);
  return { left, top: l.plot.top + l.plot.height - (r + 1) * height, width: Math.max(0, right - left), height };
}

/** The cell under a point, or null outside of the plot. */
export function cellAt(l: HeatLayout, data: HeatData, x: number, y: number): [number, number] | null {
  const r = Math.floor((l.plot.top + l.plot.height - y) / (l.plot.height / l.rows));
  if (r < 0 || r >= data.rows.length || x < l.plot.left || x > l.plot.left + l.plot.width) return null;
  const step = xToStep(l, x) - 0.5;
  const c = data.columns.findIndex((column) => step > column.from && step <= column.to);
  return c < 0 ? null : [r, c];
}

export interface Paint {
  dark: boolean;
  font: string;
  color: (name: string) => string;
  /** Steps at which an attempt took over. */
  resumedAt: readonly number[];
  by?: Colouring;
}

/** The colour of a cell; null where the paper shows. */
function colourOf(data: HeatData, r: number, c: number, by: Colouring, dark: boolean): string | null {
  const value = cellValue(data, r, c, by);
  return value === null ? null : css(rampColor(by === "success" ? rateToRamp(value) : shareToRamp(value), dark));
}

export function paintHeat(ctx: CanvasRenderingContext2D, l: HeatLayout, data: HeatData, p: Paint): void {
  ctx.fillStyle = p.color("empty");
  ctx.fillRect(l.plot.left, l.plot.top, l.plot.width, l.plot.height);
  const gap = l.rows <= 8 ? 2 : l.plot.height / l.rows > 6 ? 1 : 0;
  for (let c = 0; c < data.columns.length; c += 1) {
    for (let r = 0; r < data.rows.length; r += 1) {
      const fill = colourOf(data, r, c, p.by ?? "share", p.dark);
      if (fill === null) continue; // nothing there: the paper shows
      const box = cellBox(l, data, r, c);
      if (box.width <= 0) continue;
      ctx.fillStyle = fill;
      // Whole pixels, or neighbours show a seam; a hairline between columns wide enough to be seen as columns.
      const [x0, x1] = [Math.round(box.left), Math.round(box.left + box.width)];
      const [y0, y1] = [Math.round(box.top), Math.round(box.top + box.height)];
      ctx.fillRect(x0, y0, Math.max(1, x1 - x0 - (box.width >= 14 ? 1 : 0)), Math.max(1, y1 - y0 - gap));
    }
  }
  for (const step of p.resumedAt) paintResume(ctx, l, step, p);
  paintAxes(ctx, l, data, p);
}

function paintResume(ctx: CanvasRenderingContext2D, l: HeatLayout, step: number, p: Paint): void {
  const x = Math.round(stepToX(l, step + 0.5));
  if (x < l.plot.left || x > l.plot.left + l.plot.width) return;
  ctx.strokeStyle = p.color("warn");
  ctx.setLineDash([4, 3]);
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x, l.plot.top);
  ctx.lineTo(x, l.plot.top + l.plot.height);
  ctx.stroke();
  ctx.setLineDash([]);
}

function paintAxes(ctx: CanvasRenderingContext2D, l: HeatLayout, data: HeatData, p: Paint): void {
  const bottom = l.plot.top + l.plot.height;
  ctx.fillStyle = p.color("ink-2");
  ctx.font = `12px ${p.font}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  const each = l.plot.height / l.rows;
  const skip = Math.max(1, Math.ceil(18 / each));
  // Levels are named in the middle of their band; lengths are edges, so their number stands at the band's top.
  const edges = data.rowTitle.startsWith("prefix length");
  data.rows.forEach((row, r) => {
    if (r !== 0 && (edges ? r % skip !== 0 || (r === skip && each * r < 14) : false)) return;
    const y = edges && r > 0 ? bottom - (r + 1) * each : bottom - (r + 0.5) * each;
    ctx.fillText(row.tick, l.plot.left - 8, Math.max(l.plot.top + 5, y));
  });
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  ctx.strokeStyle = p.color("line");
  ctx.lineWidth = 1;
  for (const tick of ticks(...endsOf(l), l.plot.width / 70, l.axis.steps)) {
    const x = Math.round(valueToX(l, tick)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(x, bottom);
    ctx.lineTo(x, bottom + 5);
    ctx.stroke();
    ctx.fillText(l.axis.format(tick), x, bottom + 8);
  }
  ctx.fillStyle = p.color("ink-3");
  ctx.fillText(l.axis.label, l.plot.left + l.plot.width / 2, bottom + 25);
}

/** The map as a drawing, for the SVG. */
export function drawHeat(
  l: HeatLayout,
  data: HeatData,
  dark: boolean,
  resumedAt: readonly number[],
  by: Colouring = "share",
): Drawing {
  const { left, top, width, height } = l.plot;
  const bottom = top + height;
  const marks: Mark[] = [{ kind: "rect", x: left, y: top, w: width, h: height, fill: "empty" }];
  data.rows.forEach((row, r) => {
    data.columns.forEach((_, c) => {
      const [fill, box] = [colourOf(data, r, c, by, dark), cellBox(l, data, r, c)];
      if (fill === null || box.width <= 0) return;
      marks.push({ kind: "rect", x: box.left, y: box.top, w: box.width, h: box.height, fill });
    });
    const every = Math.ceil((18 * l.rows) / height);
    if (r % every) return;
    const y = bottom - (r + 0.5) * (height / l.rows) + 4;
    marks.push({ kind: "text", x: left - 8, y, text: row.tick, fill: "ink-2", size: 12, anchor: "end" });
  });
  for (const step of resumedAt) {
    const x = stepToX(l, step + 0.5);
    if (x >= left && x <= left + width)
      marks.push({ kind: "path", d: `M${x} ${top}V${bottom}`, stroke: "warn", width: 1.5, dash: [4, 3] });
  }
  for (const tick of ticks(...endsOf(l), width / 70, l.axis.steps)) {
    const x = valueToX(l, tick);
    marks.push({
      kind: "text",
      x,
      y: bottom + 18,
      text: l.axis.format(tick),
      fill: "ink-2",
      size: 12,
      anchor: "middle",
    });
  }
  const middle = left + width / 2;
  marks.push({
    kind: "text",
    x: middle,
    y: bottom + 36,
    text: l.axis.label,
    fill: "ink-3",
    size: 12,
    anchor: "middle",
  });
  return { width: left + width + MARGIN.right, height: bottom + 40, marks };
}

/** The colour legend as a strip of its own. */
export function paintLegend(
  ctx: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  dark: boolean,
): void {
  for (let i = 0; i < width; i += 1) {
    ctx.fillStyle = css(rampColor((i + 0.5) / width, dark));
    ctx.fillRect(x + i, y, 1, height);
  }
}
