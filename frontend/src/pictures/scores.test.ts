import { describe, expect, it } from "vitest";
import type { Score } from "../types";
import { describeLine, drawScores, scoreRows } from "./scores";

const score = (over: Partial<Score>): Score => ({
  step: 0,
  benchmark: "math",
  metric: "avg@4",
  score: 0.5,
  low: 0.4,
  high: 0.6,
  confidence: 0.95,
  interval: "wilson",
  problems: 500,
  samples: 4,
  ...over,
});
const rows = (scores: Score[]) => scoreRows([{ run: "a", color: "run-a", scores, trained: true }]);

describe("rows", () => {
  it("hold the latest score and the earlier ones in order", () => {
    const [row] = rows([score({ step: 50, score: 0.6 }), score({ step: 0 }), score({ step: 100, score: 0.7 })]);
    expect(row!.lines[0]!.latest.step).toBe(100);
    expect(row!.lines[0]!.earlier.map((s) => s.step)).toEqual([0, 50]);
  });

  it("stand together by benchmark", () => {
    const found = rows([score({}), score({ benchmark: "aime" }), score({ metric: "pass@4" })]);
    expect(found.map((r) => `${r.benchmark} ${r.metric}`)).toEqual(["math avg@4", "math pass@4", "aime avg@4"]);
  });

  it("keep intervals inside of zero and one", () => {
    const { latest } = rows([score({ low: -0.1, high: 1.2 })])[0]!.lines[0]!;
    expect([latest.low, latest.high]).toEqual([0, 1]);
  });

  it("count a step once, however often it was scored", () => {
    const [row] = rows([score({ score: 0.1 }), score({ score: 0.2 })]);
    expect(row!.lines[0]).toMatchObject({ latest: { score: 0.2 }, earlier: [] });
  });

  it("hold a line for each run", () => {
    const both = scoreRows([
      { run: "a", color: "run-a", scores: [score({})], trained: true },
      { run: "b", color: "run-b", scores: [score({ score: 0.3 }), score({ benchmark: "only b" })], trained: true },
    ]);
    expect(both.map((r) => r.lines.length)).toEqual([2, 1]);
  });
});

it("a line is described with interval, size, method and what it was", () => {
  const [row] = rows([score({ problems: 30 }), score({ step: 80, problems: 30, score: 0.6, high: 0.75 })]);
  expect(describeLine(row!, row!.lines[0]!, false)).toBe(
    "math avg@4: 60.0 % [40.0 % to 75.0 %] at step 80, 30 problems × 4 answers, 95 % Wilson; was 50.0 % before training; a small set",
  );
});

describe.each([360, 1200])("the drawing at %i px", (width) => {
  const picture = drawScores(rows([score({ low: 0, high: 1 }), score({ metric: "pass@4", problems: 30 })]), width, 0);

  it("keeps every mark inside", () => {
    for (const mark of picture.marks) {
      const xs =
        mark.kind === "line"
          ? [mark.x1, mark.x2]
          : mark.kind === "circle"
            ? [mark.cx - mark.r, mark.cx + mark.r]
            : mark.kind === "path"
              ? []
              : [mark.x];
      for (const x of xs) expect(x).toBeGreaterThanOrEqual(0);
      for (const x of xs) expect(x).toBeLessThanOrEqual(width);
    }
  });

  it("flags the small set", () => {
    const text = picture.marks.flatMap((m) => (m.kind === "text" && m.fill === "warn" ? [m.text] : []));
    expect(text).toEqual(["30 problems × 4 answers · small set"]);
  });
});
