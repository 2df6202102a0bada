/** One series of several runs in one plot: a line for each side, of seeds their mean with a band. */
import type { Column } from "../types";
import type { Line } from "./lines";
import type { CurveSet, PlotLines } from "./panel";
import { align, notFinite } from "./rewards";
import type { Side } from "./sides";
import type { Axis } from "./xaxis";

export type Band = "range" | "sd";
export const BAND_NAMES: Record<Band, string> = {
  range: "lowest to highest seed",
  sd: "mean ± standard deviation over seeds",
};

/** A run's curves, and where its steps stand on the x axis. */
export interface Drawn {
  curves: CurveSet;
  axis: Axis;
}

export function overlay(sides: readonly Side[], drawn: ReadonlyMap<string, Drawn>, key: string, band: Band): PlotLines {
  const broken = new Set<number>();
  const parts = sides.flatMap((side) => {
    const columns = side.runs.flatMap(({ id }) => {
      const one = drawn.get(id);
      const raw = one?.curves.raw.get(key);
      const column = one?.curves.smoothed.get(key) ?? raw;
      if (!one || !column || column.steps.length === 0) return [];
      for (const step of raw ? notFinite(raw) : []) broken.add(one.axis.at(step));
      return [placed(column, one.axis)];
    });
    if (columns.length === 0) return [];
    return [{ side, column: columns.length === 1 ? columns[0]! : meanOf(columns, band) }];
  });
  const { x, ys } = align(parts.map(({ column }) => column));
  const lines = parts.map(({ side, column }, i): Line => {
    const style = { label: side.label, color: side.color, dash: side.dash, width: 2 };
    if (!column.low || !column.high) return { ...style, values: ys[i]! };
    const edge = (values: number[]) =>
      align([
        { steps: x, values: [] },
        { steps: column.steps, values },
      ]).ys[1]!;
    return { ...style, values: ys[i]!, band: { low: edge(column.low), high: edge(column.high) } };
  });
  return { x, lines, broken: [...broken].sort((a, b) => a - b), named: lines.map((_, i) => i) };
}

/** Without the extremes of its buckets: in a picture of many a band is the spread of seeds. */
const placed = ({ steps, values }: Column, axis: Axis): Column => ({
  steps: axis.kind === "step" ? steps : steps.map(axis.at),
  values,
});

/** The mean of those columns that reach a step, and how far they are apart; between its points a column is a straight
 *  line. What is not finite counts as missing. */
export function meanOf(columns: readonly Column[], band: Band): Column {
  const steps = [...new Set(columns.flatMap((column) => column.steps))].sort((a, b) => a - b);
  const whole = columns.map((column) => along(column, steps));
  const out = { steps, values: [] as number[], low: [] as number[], high: [] as number[] };
  for (let i = 0; i < steps.length; i += 1) {
    const here = whole.map((values) => values[i]!).filter(Number.isFinite);
    const mean = here.reduce((sum, v) => sum + v, 0) / here.length; // of none NaN: a gap
    out.values.push(mean);
    const sd = here.length > 1 ? Math.hypot(...here.map((v) => v - mean)) / Math.sqrt(here.length - 1) : 0;
    const some = here.length > 0;
    out.low.push(band === "sd" ? mean - sd : some ? Math.min(...here) : Number.NaN);
    out.high.push(band === "sd" ? mean + sd : some ? Math.max(...here) : Number.NaN);
  }
  return out;
}

/** The column's values at these steps; NaN before its first and after its last. */
function along({ steps, values }: Column, at: readonly number[]): number[] {
  let next = 0;
  return at.map((step) => {
    while (next < steps.length && steps[next]! < step) next += 1;
    if (steps[next] === step) return values[next]!;
    if (next === 0 || next === steps.length) return Number.NaN;
    const part = (step - steps[next - 1]!) / (steps[next]! - steps[next - 1]!);
    return values[next - 1]! + part * (values[next]! - values[next - 1]!);
  });
}

/** "Step 40: a 0.31, b, 3 seeds 0.42 (0.4 to 0.5)" */
export function sayOverlay(plot: PlotLines, at: number, axis: Axis, format: (v: number | undefined) => string): string {
  const parts = plot.lines.flatMap((line) => {
    const [value, low, high] = [line.values[at], line.band?.low[at], line.band?.high[at]];
    if (value === undefined) return [];
    const range = low != null && high != null ? ` (${format(low)} to ${format(high)})` : "";
    return [`${line.label} ${format(value ?? undefined)}${range}`];
  });
  const broken = plot.broken.includes(plot.x[at]!) ? " (not a number here in one of them)" : "";
  const where = axis.kind === "step" ? "Step" : axis.label.replace(/^./, (c) => c.toUpperCase());
  return `${where} ${axis.format(plot.x[at]!)}: ${parts.join(", ")}${broken}`;
}
