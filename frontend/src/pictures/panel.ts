/** From curves, guidance and scores to the lines of one plot of a panel. */
import { count } from "../format";
import type { Column, GuidanceStep, Score } from "../types";
import type { Line, Value } from "./lines";
import { align, notFinite, rewardByLevel } from "./rewards";

/** What one plot draws, and how its reading and table name it. */
export interface PlotLines {
  x: number[];
  lines: Line[];
  broken: number[];
  /** Places of the lines whose values stand in the legend and the reading; the others only help the eye. */
  named: number[];
}

export interface CurveSet {
  raw: ReadonlyMap<string, Column>;
  smoothed: ReadonlyMap<string, Column>;
}

interface Asked {
  curves: readonly { key: string; label: string; color: string; dash?: number[] }[];
  band?: { low: string; high: string; name: string };
}

const finite = (values: readonly number[] | undefined): Value[] =>
  (values ?? []).map((v) => (Number.isFinite(v) ? v : null));

/** The smoothed curve thick; behind it, where there is but one curve, each step thin or a bucket's extremes as a band. */
export function seriesLines({ curves, band }: Asked, set: CurveSet): PlotLines {
  const columns: Column[] = [];
  const made: { line: Omit<Line, "values">; named: boolean; edges?: [Column, Column] }[] = [];
  const broken = new Set<number>();
  const alone = curves.length === 1 && !band;
  for (const { key, label, color, dash } of curves) {
    const raw = set.raw.get(key);
    const thick = set.smoothed.get(key) ?? raw;
    if (!raw || !thick || raw.steps.length === 0) continue;
    if (alone && raw.low && raw.high) {
      const edge = (values: number[]): Column => ({ steps: raw.steps, values });
      columns.push(raw);
      made.push({
        line: { label: `${label}, range`, color, width: 0 },
        named: false,
        edges: [edge(raw.low), edge(raw.high)],
      });
    } else if (alone && thick !== raw) {
      columns.push(raw);
      made.push({ line: { label: `${label}, each step`, color, width: 1, faint: true }, named: false });
    }
    const [low, high] = band ? edgesOf(set, band) : [undefined, undefined];
    columns.push(thick);
    made.push({
      line: { label, color, dash, width: 2 },
      named: true,
      edges: low && high ? [low, high] : undefined,
    });
    for (const step of notFinite(raw)) broken.add(step);
  }
  const edges = made.flatMap((one) => one.edges ?? []);
  const { x, ys } = align([...columns, ...edges]);
  let next = columns.length;
  const lines = made.map(({ line, edges }, i): Line => {
    if (!edges) return { ...line, values: ys[i]! };
    next += 2;
    return { ...line, values: ys[i]!, band: { low: ys[next - 2]!, high: ys[next - 1]! } };
  });
  const named = made.flatMap((one, i) => (one.named ? [i] : []));
  return { x, lines, broken: [...broken].sort((a, b) => a - b), named };
}

function edgesOf({ raw, smoothed }: CurveSet, band: { low: string; high: string }): (Column | undefined)[] {
  return [band.low, band.high].map((key) => smoothed.get(key) ?? raw.get(key));
}

const LEVEL_STYLE = [
  { color: "run-a", dash: undefined },
  { color: "level-1", dash: [10, 4] },
  { color: "level-2", dash: [4, 3] },
  { color: "level-3", dash: [2, 2] },
  { color: "level-4", dash: [12, 3, 2, 3] },
];
export const styleOf = (i: number): { color: string; dash?: number[] } => LEVEL_STYLE[i % LEVEL_STYLE.length]!;
const all = (lines: readonly Line[]): number[] => lines.map((_, i) => i);

/** Pooled over the last `smooth` steps. */
export function levelLines(steps: readonly GuidanceStep[], perBucket: number, smooth: number): PlotLines {
  const window = Math.max(1, Math.round(smooth / perBucket));
  const { steps: x, curves } = rewardByLevel(steps, window);
  const lines = curves.map((c, i): Line => ({ label: c.label, values: finite(c.values), ...styleOf(i) }));
  return { x, lines, broken: [], named: all(lines) };
}

/** Scores of every evaluation with their intervals as bands: one line for each benchmark and metric. */
export function scoreLines(scores: readonly Score[]): PlotLines {
  const groups = new Map<string, Map<number, Score>>();
  for (const score of scores) {
    const name = `${score.benchmark} ${score.metric}`;
    // A resumed run may score a step again: the later one counts.
    groups.set(name, (groups.get(name) ?? new Map()).set(score.step, score));
  }
  const x = [...new Set(scores.map((score) => score.step))].sort((a, b) => a - b);
  const lines = [...groups].map(([label, byStep], i): Line => {
    const of = (pick: (score: Score) => number): Value[] =>
      x.map((step) => (byStep.has(step) ? pick(byStep.get(step)!) : undefined));
    return {
      label,
      values: of((s) => s.score),
      band: { low: of((s) => s.low), high: of((s) => s.high) },
      dots: true,
      ...styleOf(i),
    };
  });
  return { x, lines, broken: [], named: all(lines) };
}

/** The value of a line at `at`, or the last there is. */
export const valueAt = ({ values }: Line, at: number | null): number | undefined =>
  (at === null ? values.findLast((v) => v != null) : values[at]) ?? undefined;

/** "Step 40: entropy 0.31 (0.2 to 0.5), KL 0.001" */
export function sayPlot(plot: PlotLines, at: number, format: (v: number | undefined) => string): string {
  const parts = plot.named.flatMap((k) => {
    const line = plot.lines[k]!;
    const [value, low, high] = [line.values[at], line.band?.low[at], line.band?.high[at]];
    if (value === undefined) return [];
    const range = low != null && high != null ? ` (${format(low)} to ${format(high)})` : "";
    return [`${line.label} ${format(value ?? undefined)}${range}`];
  });
  const broken = plot.broken.includes(plot.x[at]!) ? " (not a number in this step)" : "";
  return `Step ${count(plot.x[at]!)}: ${parts.join(", ")}${broken}`;
}

/** Shares end at 1, so that two pictures compare by eye; what is beyond 0 and 1 is not cut off. */
export const topOf = (top: 1 | undefined, lines: readonly Line[]): number | null =>
  top === undefined || lines.some(({ values }) => values.some((v) => v != null && (v > 1 || v < 0))) ? null : 1;
