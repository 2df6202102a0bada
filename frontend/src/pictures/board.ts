/** The board as sets of scores that may be laid side by side: one for each benchmark and metric. */
import { compact, count, decimal, percent, runName, words } from "../format";
import type { Board, BoardCell, BoardLine } from "../types";
import { SMALL } from "./scores";
import type { Table } from "./table";

/** How a score stands to the baseline's; `alike` is what the interval of the difference does not tell apart from 0.
 *  Without a baseline: `near` is one whose interval overlaps that of the best. */
export type Verdict = "baseline" | "better" | "worse" | "alike" | "near" | "apart" | "paper" | "alone";

export interface Standing {
  line: BoardLine;
  cell: BoardCell;
  name: string;
  verdict: Verdict;
  /** Why it does not compare, in words; empty if it does. */
  apart: string;
}

export interface ScoreSet {
  benchmark: string;
  metric: string;
  rows: Standing[];
}

export type Order = "score" | "newest" | "difference";
type Settings = Board["settings"];

export const lineName = (line: BoardLine): string => {
  const own = line.runs[0] ? runName({ name: line.name, id: line.runs[0].id }) : line.name;
  return line.runs.length > 1 ? `${own}, ${line.runs.length} seeds` : own;
};

const clamp = (share: number): number => Math.min(1, Math.max(0, share));

/** Papers' rows stand below ours, and only where ours has the benchmark. */
export function scoreSets(board: Board, order: Order): ScoreSet[] {
  const sets = new Map<string, ScoreSet>();
  const base = board.baseline?.runs.map((run) => run.id) ?? [];
  const lines = withBaseline(board);
  for (const line of lines)
    for (const cell of line.cells) {
      const key = `${cell.benchmark}\n${cell.metric}`;
      if (line.source === "paper" && !sets.has(key)) continue;
      const set = sets.get(key) ?? { benchmark: cell.benchmark, metric: cell.metric, rows: [] };
      const isBase = line.runs.some((run) => base.includes(run.id));
      const apart = line.source === "paper" ? "" : apartWords(cell, referenceOf(lines, board, cell.benchmark));
      const verdict = verdictOf(line, cell, isBase);
      set.rows.push({ line, cell: bounded(cell), name: lineName(line), verdict, apart });
      sets.set(key, set);
    }
  if (!board.baseline) for (const set of sets.values()) markNear(set.rows);
  for (const set of sets.values()) set.rows.sort((a, b) => place(a) - place(b) || by(order, a, b));
  return [...sets.values()].sort((a, b) => (a.benchmark < b.benchmark ? -1 : a.benchmark > b.benchmark ? 1 : 0));
}

/** The baseline is always in view, whatever else is filtered. */
function withBaseline({ data, baseline }: Board): BoardLine[] {
  const id = baseline?.runs[0]?.id;
  return !baseline || data.some((line) => line.runs.some((run) => run.id === id)) ? data : [baseline, ...data];
}

const bounded = (cell: BoardCell): BoardCell => ({
  ...cell,
  score: clamp(cell.score),
  low: cell.low == null ? null : clamp(cell.low),
  high: cell.high == null ? null : clamp(cell.high),
});

function verdictOf({ source }: BoardLine, { differs, delta }: BoardCell, isBase: boolean): Verdict {
  if (source === "paper") return "paper";
  if (isBase) return "baseline";
  if (differs.length) return "apart";
  if (!delta) return "alone";
  return delta.low > 0 ? "better" : delta.high < 0 ? "worse" : "alike";
}

function markNear(rows: Standing[]): void {
  const alone = rows.filter((row) => row.verdict === "alone");
  const best = alone.reduce<Standing | undefined>((a, b) => (a && a.cell.score >= b.cell.score ? a : b), undefined);
  const low = best?.cell.low ?? Number.POSITIVE_INFINITY;
  for (const row of alone) if (row !== best && (row.cell.high ?? -1) >= low) row.verdict = "near";
}

const place = ({ verdict }: Standing): number => (verdict === "paper" ? 1 : 0);
function by(order: Order, a: Standing, b: Standing): number {
  if (order === "newest") return 0; // as the api gave them
  const value = ({ cell }: Standing): number => (order === "score" ? cell.score : (cell.delta?.delta ?? -2));
  return value(b) - value(a);
}

/** The setting that a benchmark's cells are compared in: that of one which does not differ. */
function referenceOf(
  lines: readonly BoardLine[],
  board: Board,
  benchmark: string,
): [Settings, Settings[string] | null] {
  const all = [...(board.baseline ? [board.baseline] : []), ...lines].flatMap((line) => line.cells);
  const found = all.find((cell) => cell.benchmark === benchmark && cell.differs.length === 0 && cell.setting);
  return [board.settings, found?.setting ? (board.settings[found.setting] ?? null) : null];
}

/** "max_tokens 512 ≠ 3000" */
function apartWords(cell: BoardCell, [settings, reference]: [Settings, Settings[string] | null]): string {
  const own = cell.setting ? settings[cell.setting] : undefined;
  const value = (of: Settings[string], name: string): string => {
    const one = of[name];
    return one === undefined ? "unset" : typeof one === "string" ? one : JSON.stringify(one);
  };
  return cell.differs
    .map((name) => {
      if (name === "setting") return "its setting was not told";
      if (name === "problems") return "other problems";
      const told = own && reference && value(own, name) !== value(reference, name);
      return told ? `${words(name)} ${value(own, name)} ≠ ${value(reference, name)}` : `another ${words(name)}`;
    })
    .join(", ");
}

// ------------------------------------------------------------------------------------------------------- in words

export const sizeWords = ({ problems, samples }: BoardCell): string =>
  problems == null || samples == null ? "" : `n ${count(problems)} × k ${count(samples)}`;
export const isSmall = ({ problems }: BoardCell): boolean => problems != null && problems < SMALL;

const METHODS = { wilson: "Wilson", cluster_bootstrap: "bootstrap over problems" } as const;
export const intervalName = ({ interval, confidence }: BoardCell): string =>
  interval ? `${confidence == null ? "" : `${percent(confidence, 0)} `}${METHODS[interval]}` : "";

const points = (share: number): string => `${share < 0 ? "−" : "+"}${Math.abs(share * 100).toFixed(1)}`;

/** "+3.1 [+0.9, +5.4]", in points of a hundred. */
export const deltaWords = (cell: BoardCell): string =>
  cell.delta ? `${points(cell.delta.delta)} [${points(cell.delta.low)}, ${points(cell.delta.high)}]` : "";
export const pWords = (p: number): string => (p < 0.001 ? "p < 0.001" : `p ${decimal(p)}`);

export const intervalWords = ({ low, high }: BoardCell): string =>
  low == null || high == null ? "" : `${(low * 100).toFixed(1)} – ${(high * 100).toFixed(1)}`;

const VERDICTS: Record<Verdict, string> = {
  baseline: "the baseline",
  better: "better than the baseline",
  worse: "worse than the baseline",
  alike: "not told apart from the baseline",
  near: "overlaps the best",
  apart: "not comparable",
  paper: "as published; drawn and graded in another way, so no interval",
  alone: "",
};
export const verdictWords = ({ verdict, apart }: Standing): string =>
  apart ? `not comparable: ${apart}` : VERDICTS[verdict];

export function describe({ benchmark, metric }: ScoreSet, row: Standing): string {
  const { cell, name, line } = row;
  const range = cell.low == null || cell.high == null ? "" : ` [${percent(cell.low)} to ${percent(cell.high)}]`;
  const parts = [
    `${name}, ${benchmark} ${metric}: ${percent(cell.score)}${range}`,
    [sizeWords(cell), intervalName(cell)].filter(Boolean).join(", "),
    cell.spread == null ? "" : `standard deviation over seeds ${compact(cell.spread * 100)} points`,
    cell.delta ? `difference ${deltaWords(cell)}, ${pWords(cell.delta.p)}` : "",
    verdictWords(row),
    isSmall(cell) ? "a small set" : "",
    line.citation,
  ];
  return parts.filter(Boolean).join("; ");
}

export function setTable(set: ScoreSet): Table {
  const head = [
    ...["run", "source", "method", "seeds", "step", "score", "low", "high", "interval", "n", "k", "spread"],
    ...["delta", "delta low", "delta high", "p", "compares"],
  ];
  const rows = set.rows.map((row) => {
    const { line, cell, name } = row;
    return [
      ...[name, line.citation || line.source, line.method ?? "", cell.seeds ?? 1, cell.step ?? null],
      ...[cell.score, cell.low ?? null, cell.high ?? null, intervalName(cell)],
      ...[cell.problems ?? null, cell.samples ?? null, cell.spread ?? null],
      ...[cell.delta?.delta ?? null, cell.delta?.low ?? null, cell.delta?.high ?? null, cell.delta?.p ?? null],
      verdictWords(row),
    ];
  });
  return { head, rows };
}

/** All sets as one table to paste: rows are runs, columns are benchmarks. */
export function toMarkdown(sets: readonly ScoreSet[]): string {
  const lines = [...new Set(sets.flatMap((set) => set.rows.map((row) => row.line)))];
  const cells = lines.map((line) =>
    sets.map((set) => {
      const row = set.rows.find((one) => one.line === line);
      return row ? cellWords(row) : "";
    }),
  );
  const sizes = sets.map(({ rows }) => [...new Set(rows.map((row) => sizeWords(row.cell)).filter(Boolean))].join("; "));
  const head = ["run", ...sets.map(({ benchmark, metric }, i) => `${benchmark} ${metric} (${sizes[i]})`)];
  const names = lines.map((line) => lineName(line) + (line.source === "paper" ? ` (${line.citation})` : ""));
  const out = [head, head.map((_, i) => (i ? "---:" : "---")), ...lines.map((_, i) => [names[i]!, ...cells[i]!])];
  return `${out.map((row) => `| ${row.map(escaped).join(" | ")} |`).join("\n")}\n`;
}

function cellWords(row: Standing): string {
  const { cell } = row;
  const range = intervalWords(cell);
  const delta = cell.delta ? `, Δ ${deltaWords(cell)}` : "";
  return `${percent(cell.score)}${range ? ` (${range})` : ""}${delta}${row.apart ? `, ${verdictWords(row)}` : ""}`;
}

/** A name must not end its cell, begin a line, or become a link or markup. */
const escaped = (text: string): string => text.replace(/[\\|<>[\]`*_]/g, "\\$&").replace(/\s+/g, " ");
