/** From benchmark scores to rows with intervals, and from rows to a drawing. */
import { count, percent } from "../format";
import type { Score } from "../types";
import type { Drawing, Mark } from "./marks";

/** Below this many problems an interval is too wide to rank by; the row says so. */
export const SMALL = 100;

export interface ScoreLine {
  run: string;
  color: string;
  /** When the latest score was taken, in words with a space before them; empty for a run that does not train. */
  when: string;
  latest: Score;
  /** Earlier evaluations, oldest first; step 0 is the base model. */
  earlier: Score[];
}

export interface ScoreRow {
  benchmark: string;
  metric: string;
  lines: ScoreLine[];
}

export interface RunScores {
  run: string;
  color: string;
  scores: readonly Score[];
  trained: boolean;
}

const clamp = (x: number): number => Math.min(1, Math.max(0, x));
const cleaned = (s: Score): Score => ({ ...s, score: clamp(s.score), low: clamp(s.low), high: clamp(s.high) });

/** One row for each benchmark × metric, in the order in which the first run has them. */
export function scoreRows(runs: readonly RunScores[]): ScoreRow[] {
  const rows = new Map<string, ScoreRow>();
  for (const { run, color, scores, trained } of runs) {
    const byRow = new Map<string, Map<number, Score>>();
    for (const score of scores) {
      const key = `${score.benchmark}\n${score.metric}`;
      // A resumed run may score a step again: the later one counts.
      byRow.set(key, (byRow.get(key) ?? new Map()).set(score.step, cleaned(score)));
    }
    for (const [key, bySteps] of byRow) {
      const history = [...bySteps.values()].sort((a, b) => a.step - b.step);
      const latest = history.at(-1)!;
      const row = rows.get(key) ?? { benchmark: latest.benchmark, metric: latest.metric, lines: [] };
      const when = trained ? ` ${stepName(latest.step)}` : "";
      row.lines.push({ run, color, when, latest, earlier: history.slice(0, -1) });
      rows.set(key, row);
    }
  }
  return [...rows.values()].sort((a, b) => orderOf(rows, a) - orderOf(rows, b));
}

/** Metrics of one benchmark stand together. */
function orderOf(rows: Map<string, ScoreRow>, row: ScoreRow): number {
  const all = [...rows.values()];
  return all.findIndex((r) => r.benchmark === row.benchmark) * 1000 + all.indexOf(row);
}

export const sizeOf = (score: Score): string =>
  `${count(score.problems)} problem${score.problems === 1 ? "" : "s"} × ${count(score.samples)} answer${score.samples === 1 ? "" : "s"}`;

const METHODS = { wilson: "Wilson", cluster_bootstrap: "bootstrap over problems" } as const;
export const intervalOf = (score: Score): string => `${percent(score.confidence, 0)} ${METHODS[score.interval]}`;

export function describeLine(row: ScoreRow, line: ScoreLine, several: boolean): string {
  const { latest, earlier } = line;
  const first = earlier[0];
  const since = first ? `; was ${percent(first.score)} ${stepName(first.step)}` : "";
  const small = latest.problems < SMALL ? "; a small set" : "";
  return (
    `${several ? `${line.run}, ` : ""}${row.benchmark} ${row.metric}: ${percent(latest.score)} ` +
    `[${percent(latest.low)} to ${percent(latest.high)}]${line.when}, ${sizeOf(latest)}, ${intervalOf(latest)}${since}${small}`
  );
}

export const stepName = (step: number): string => (step === 0 ? "before training" : `at step ${count(step)}`);

const TRACK = 24;
const TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** Where each row lies, so that pointer and keyboard find it. */
export interface ScorePicture extends Drawing {
  rowTops: number[];
}

/** Wide: label | plot | value. Narrow (a phone): the label above its plot. */
export function drawScores(rows: readonly ScoreRow[], width: number, selected: number | null): ScorePicture {
  const narrow = width < 620;
  const [left, right] = narrow ? [8, width - 8] : [248, width - 168];
  const x = (score: number): number => left + score * (right - left);
  const marks: Mark[] = [];
  const rowTops: number[] = [];
  let y = narrow ? 4 : 22;
  if (!narrow) {
    const head = { kind: "text", y: 14, fill: "ink-3", size: 12, anchor: "end" } as const;
    marks.push({ ...head, x: width - 104, text: "score" }, { ...head, x: width - 8, text: "interval, %" });
  }
  for (const [i, row] of rows.entries()) {
    rowTops.push(y);
    const label = narrow ? 40 : 0;
    const height = Math.max(label + TRACK * row.lines.length + 12, narrow ? 0 : 52);
    if (i === selected) marks.push({ kind: "rect", x: 0, y, w: width, h: height, fill: "hover", r: 6 });
    for (const t of TICKS) {
      marks.push({ kind: "line", x1: x(t), x2: x(t), y1: y + label, y2: y + height, stroke: "grid", width: 1 });
    }
    marks.push(...rowLabel(row, y, narrow, height));
    const top = narrow ? y + label : y + (height - TRACK * row.lines.length) / 2;
    for (const [k, line] of row.lines.entries()) {
      marks.push(...lineMarks(line, top + TRACK * (k + 0.5), x));
      marks.push(...valueMarks(line, narrow ? y + 14 + 16 * k : top + TRACK * (k + 0.5) + 4, width, narrow));
    }
    y += height;
  }
  for (const t of TICKS) {
    const anchor = narrow && t === 0 ? "start" : narrow && t === 1 ? "end" : "middle";
    marks.push({ kind: "text", x: x(t), y: y + 18, text: `${Math.round(t * 100)} %`, fill: "ink-3", size: 12, anchor });
  }
  return { width, height: y + 26, marks, rowTops };
}

function rowLabel(row: ScoreRow, y: number, narrow: boolean, height: number): Mark[] {
  const latest = row.lines[0]!.latest;
  const small = latest.problems < SMALL;
  const middle = narrow ? y + 16 : y + height / 2 - 3;
  const size = `${sizeOf(latest)}${small ? " · small set" : ""}`;
  return [
    {
      kind: "text",
      x: 8,
      y: middle,
      text: short(`${row.benchmark} ${row.metric}`, 32),
      fill: "ink",
      size: 13,
      anchor: "start",
      bold: true,
    },
    { kind: "text", x: 8, y: middle + 16, text: size, fill: small ? "warn" : "ink-3", size: 11.5, anchor: "start" },
  ];
}

function lineMarks({ latest, earlier, color }: ScoreLine, y: number, x: (s: number) => number): Mark[] {
  const cap = (s: number): Mark => ({
    kind: "line",
    x1: x(s),
    x2: x(s),
    y1: y - 5,
    y2: y + 5,
    stroke: color,
    width: 2,
  });
  const marks: Mark[] = [
    { kind: "rect", x: x(0), y: y - 6, w: x(latest.score) - x(0), h: 12, fill: color, opacity: 0.16, r: 2 },
  ];
  for (const [i, old] of earlier.entries()) {
    // The first evaluation is the one to compare with; it stands out from the ones on the way.
    marks.push({
      kind: "circle",
      cx: x(old.score),
      cy: y,
      r: i === 0 ? 4 : 3,
      fill: "card",
      stroke: color,
      opacity: i === 0 ? 0.9 : 0.4,
    });
  }
  marks.push({ kind: "line", x1: x(latest.low), x2: x(latest.high), y1: y, y2: y, stroke: color, width: 2 });
  marks.push(cap(latest.low), cap(latest.high));
  marks.push({ kind: "circle", cx: x(latest.score), cy: y, r: 5, fill: color, stroke: "card" });
  return marks;
}

function valueMarks({ latest, color }: ScoreLine, y: number, width: number, narrow: boolean): Mark[] {
  const range = `${(latest.low * 100).toFixed(1)} – ${(latest.high * 100).toFixed(1)}`;
  const at = narrow ? width - 96 : width - 104;
  return [
    { kind: "text", x: at, y, text: percent(latest.score), fill: color, size: 13, anchor: "end", bold: true },
    { kind: "text", x: width - 8, y, text: range, fill: "ink-2", size: 12, anchor: "end" },
  ];
}

const short = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max - 1)}…` : text);
