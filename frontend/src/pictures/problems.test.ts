import { describe, expect, it } from "vitest";
import type { ProblemVisit, TrainedProblem } from "../types";
import {
  CELL,
  describeStrip,
  describeVisit,
  drawProblems,
  KINDS,
  kindOf,
  outcomeOf,
  problemTable,
  STRIP_HEIGHT,
  stripMarks,
  summarizeShares,
  visitAt,
} from "./problems";

const LEVELS = [0, 0.2, 0.5, 1];
const visit = (rewards: number[], ratios = LEVELS, step = 3): ProblemVisit => ({
  step,
  samples: [4, 2, 1, 1],
  ratios,
  rewards,
});

describe("the outcome of a visit", () => {
  it("is the shortest prefix that helped, what was given, and how it went alone", () => {
    expect(outcomeOf(visit([1, 0, 1, 1]))).toMatchObject({ solvedAt: 0, given: 1, alone: 0.25, reward: 3, samples: 8 });
    expect(outcomeOf(visit([0, 0, 1, 1])).solvedAt).toBe(0.5);
    expect(outcomeOf(visit([0, 0, 0, 0])).solvedAt).toBeNull();
    expect(outcomeOf(visit([4, 2, 1, 1], [0, 0, 0, 0]))).toMatchObject({ given: 0, alone: 1, help: 0 });
  });

  it("has the help of the api: failure by prefix share, integrated", () => {
    expect(outcomeOf(visit([0, 0, 0, 1])).help).toBeCloseTo(1);
    expect(outcomeOf(visit([0, 2, 1, 1])).help).toBeCloseTo(0.2);
    expect(outcomeOf(visit([2, 1, 1, 1], [0, 0, 0.5, 1])).help).toBeCloseTo(0.25);
    expect(outcomeOf({ step: 1, samples: [4], ratios: [0.5], rewards: [1] })).toMatchObject({
      help: 0.75,
      alone: null,
    });
  });

  it("has a name and a colour of its own", () => {
    const kinds = [
      [4, 2, 1, 1],
      [0, 1, 1, 1],
      [0, 0, 1, 1],
      [0, 0, 0, 1],
      [0, 0, 0, 0],
    ].map((rewards) => kindOf(outcomeOf(visit(rewards))));
    expect(kinds).toEqual([KINDS.alone, KINDS.part, KINDS.half, KINDS.whole, KINDS.never]);
    expect(new Set(kinds.map((kind) => kind.color)).size).toBe(5);
  });

  it("reads as a sentence", () => {
    expect(describeVisit(outcomeOf(visit([0, 1, 1, 1])))).toBe(
      "step 3: first solved with 20 % of trace, 0 % right alone, up to whole trace given; reward 3 of 8 samples",
    );
    expect(describeStrip([])).toBe("No visit yet.");
    expect(describeStrip([outcomeOf(visit([4, 2, 1, 1]))])).toContain("Of the last 1 visits 1 were solved alone");
  });
});

describe("the strip", () => {
  const outcomes = [visit([0, 0, 0, 0]), visit([4, 2, 1, 1], [0, 0, 0, 0])].map(outcomeOf);

  it("ends at the right edge and never leaves its box", () => {
    const [box, ...columns] = stripMarks(outcomes, 6, 10, 20);
    expect(box).toMatchObject({ x: 10, w: 6 * CELL });
    const bars = columns.filter((mark) => mark.kind === "rect");
    expect(bars.map((bar) => bar.x)).toEqual([10 + 4 * CELL + 1, 10 + 5 * CELL + 1]);
    for (const bar of bars) {
      expect(bar.y).toBeGreaterThanOrEqual(20);
      expect(bar.y + bar.h).toBeCloseTo(20 + STRIP_HEIGHT);
    }
    expect(bars[0]!.h).toBeGreaterThan(bars[1]!.h);
  });

  it("crosses what nothing helped with, so that colour is not alone", () => {
    expect(stripMarks(outcomes, 6).filter((mark) => mark.kind === "path")).toHaveLength(1);
  });

  it("knows the visit under a point", () => {
    expect([0, 4 * CELL + 1, 5 * CELL + 1].map((x) => visitAt(x, 2, 6))).toEqual([-4, 0, 1]);
    expect(visitAt(1, 9, 6)).toBe(0);
  });
});

const problem: TrainedProblem = {
  problem: "chain-1",
  text: "7 + 5?",
  visits: 1,
  last_step: 3,
  help: 1,
  alone: 0,
  history: [visit([0, 0, 0, 1])],
};

it("the table has a row a visit", () => {
  const table = problemTable([problem]);
  expect(table.rows).toEqual([["chain-1", "7 + 5?", 3, 1, 0, 1, 1, 1]]);
  expect(table.head).toHaveLength(8);
});

it("the drawing cuts a long text instead of running into the strip", () => {
  const drawing = drawProblems([{ ...problem, text: "x".repeat(400) }], 12, 700);
  const text = drawing.marks.find((mark) => mark.kind === "text")!;
  expect(text.text.length).toBeLessThan(90);
  expect(text.text.endsWith("…")).toBe(true);
});

it("the summary counts the ends", () => {
  expect(summarizeShares(Array<number>(10).fill(0))).toBe("No problem has been visited yet.");
  expect(summarizeShares([7, 0, 0, 0, 0, 1, 0, 0, 0, 2])).toContain(
    "Of 10 problems seen so far, 7 need less than a tenth",
  );
});
