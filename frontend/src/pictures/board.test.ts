import { expect, it } from "vitest";
import type { Board, BoardCell, BoardLine } from "../types";
import { describe as say, scoreSets, setTable, toMarkdown } from "./board";
import { drawBoard } from "./boardBars";

const cell = (score: number, more: Partial<BoardCell> = {}): BoardCell => ({
  benchmark: "chains",
  metric: "avg@4",
  score,
  low: score - 0.1,
  high: score + 0.1,
  confidence: 0.95,
  interval: "cluster_bootstrap",
  problems: 200,
  samples: 4,
  seeds: 1,
  setting: "s",
  differs: [],
  ...more,
});
const line = (name: string, cells: BoardCell[], more: Partial<BoardLine> = {}): BoardLine => ({
  name,
  source: "run",
  citation: "",
  runs: [{ id: `run_${name}`, seed: 1, state: "succeeded" }],
  cells,
  ...more,
});
const delta = (low: number, high: number) => ({ delta: (low + high) / 2, low, high, p: 0.04 });
const settings = { s: { max_tokens: 3000 }, t: { max_tokens: 512 } };
const board = (data: BoardLine[], baseline: BoardLine | null = null): Board => ({ data, settings, baseline });

it("rows of a set stand by score; papers below ours, and only where we have the benchmark", () => {
  const paper = line("GRPO", [cell(0.9, { differs: ["setting"] }), cell(0.5, { benchmark: "amc" })], {
    source: "paper",
    runs: [],
    citation: "arXiv",
  });
  const sets = scoreSets(board([line("a", [cell(0.2)]), line("b", [cell(0.4)]), paper]), "score");
  expect(sets.map((set) => set.benchmark)).toEqual(["chains"]);
  expect(sets[0]!.rows.map((row) => [row.name, row.verdict])).toEqual([
    ["b", "alone"],
    ["a", "near"],
    ["GRPO", "paper"],
  ]);
  expect(say(sets[0]!, sets[0]!.rows[2]!)).toContain("arXiv");
});

it("the interval of the difference says what is told apart from the baseline", () => {
  const base = line("base", [cell(0.3)]);
  const data = [
    line("up", [cell(0.5, { delta: delta(0.1, 0.3) })]),
    line("down", [cell(0.1, { delta: delta(-0.3, -0.1) })]),
    line("same", [cell(0.3, { delta: delta(-0.1, 0.1) })]),
    line("touch", [cell(0.35, { delta: delta(0, 0.1) })]),
  ];
  const rows = scoreSets(board(data, base), "score")[0]!.rows;
  expect(Object.fromEntries(rows.map((row) => [row.name, row.verdict]))).toEqual({
    up: "better",
    down: "worse",
    same: "alike",
    touch: "alike",
    base: "baseline",
  });
});

it("without a baseline what overlaps the best one is grey, and named so in legend and table", () => {
  const data = [line("best", [cell(0.6)]), line("near", [cell(0.45)]), line("far", [cell(0.2)])];
  const set = scoreSets(board(data), "newest")[0]!;
  expect(set.rows.map((row) => [row.name, row.verdict])).toEqual([
    ["best", "alone"],
    ["near", "near"],
    ["far", "alone"],
  ]);
  const near = drawBoard(set, 1000, null).marks.filter((mark) => mark.kind === "circle")[1]!;
  expect(near).toMatchObject({ fill: "card", stroke: "ink-3" });
  expect(say(set, set.rows[1]!)).toContain("overlaps the best");
  expect(setTable(set).rows[1]!.at(-1)).toBe("overlaps the best");
});

it("what does not compare says in what", () => {
  const apart = cell(0.4, { setting: "t", differs: ["max_tokens", "problems"] });
  const sets = scoreSets(board([line("a", [cell(0.2)]), line("b", [apart])]), "score");
  expect(sets[0]!.rows[0]!.apart).toBe("max tokens 512 ≠ 3000, other problems");
  const old = scoreSets(board([line("c", [cell(0.4, { setting: null, differs: ["setting"] })])]), "score");
  expect(old[0]!.rows[0]!.apart).toBe("its setting was not told");
});

it("intervals never leave 0 and 1, whatever the api says", () => {
  const sets = scoreSets(board([line("a", [cell(0.95)]), line("b", [cell(0.02)])]), "score");
  expect(sets[0]!.rows.map((row) => [row.cell.low, row.cell.high].map((v) => Number(v!.toFixed(2))))).toEqual([
    [0.85, 1],
    [0, 0.12],
  ]);
  for (const width of [360, 1000]) {
    const ends = drawBoard(sets[0]!, width, null).marks.flatMap((m) => (m.kind === "line" ? [m.x1, m.x2] : []));
    const grid = drawBoard({ ...sets[0]!, rows: [] }, width, null).marks.flatMap((m) =>
      m.kind === "text" ? [m.x] : [],
    );
    expect(Math.max(...ends)).toBeLessThanOrEqual(width);
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(0);
    expect(grid.every((x) => x >= 0 && x <= width)).toBe(true);
  }
});

it("rows lie where pointer and keyboard look for them", () => {
  const set = scoreSets(board([line("a", [cell(0.2)]), line("b", [cell(0.4)])]), "score")[0]!;
  const { rowTops, height } = drawBoard(set, 1000, 1);
  expect(rowTops).toHaveLength(2);
  expect(height).toBeGreaterThan(rowTops[1]!);
});

it("the table to paste keeps names from being markup", () => {
  const sets = scoreSets(board([line("a|b <img> [x](y)", [cell(0.5, { delta: delta(0.1, 0.3) })])]), "score");
  const [head, rule, row] = toMarkdown(sets).split("\n");
  expect(head).toBe("| run | chains avg@4 (n 200 × k 4) |");
  expect(rule).toBe("| --- | ---: |");
  expect(row).toBe("| a\\|b \\<img\\> \\[x\\](y) | 50.0 % (40.0 – 60.0), Δ +20.0 \\[+10.0, +30.0\\] |");
});
