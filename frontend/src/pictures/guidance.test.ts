import { describe, expect, it } from "vitest";
import type { GuidanceStep, SlotOutcome } from "../types";
import {
  canGuide,
  cellValue,
  describeCell,
  guidedShare,
  heatTable,
  insteadOfPrefixes,
  lengthMap,
  levelMap,
  levelsOf,
  share,
  success,
  summarize,
  thin,
} from "./guidance";

const slot = (
  n: number,
  ratio: number,
  guided: number,
  right: number,
  unguided: number,
  alone: number,
): SlotOutcome => ({
  slot: n,
  ratio,
  guided,
  guided_reward: right,
  unguided,
  unguided_reward: alone,
});

/** Two problems: four samples alone each, one of two slots guided for one of them. */
const step = (at: number, guided = 2): GuidanceStep => ({
  step: at,
  slots: [slot(0, 0, 0, 0, 8, 2), slot(1, 0.2, guided, 1, 4 - guided, 1)],
  prefix_lengths: { bin_tokens: 16, counts: [12 - guided, 0, guided, 0] },
});

describe("levels", () => {
  it("count the samples of a guided slot that needed no prefix as unguided, but not in the model's success alone", () => {
    expect(levelsOf(step(1).slots)).toEqual([
      { ratio: 0, samples: 10, tried: 8, reward: 2 },
      { ratio: 0.2, samples: 2, tried: 2, reward: 1 },
    ]);
  });

  it("add up slots of the same ratio", () => {
    expect(levelsOf([slot(0, 0, 0, 0, 4, 1), slot(1, 0.5, 2, 1, 0, 0), slot(2, 0.5, 1, 1, 0, 0)])[1]).toEqual({
      ratio: 0.5,
      samples: 3,
      tried: 3,
      reward: 2,
    });
  });
});

describe("level map", () => {
  const map = levelMap([step(1), step(2, 4)], 1);

  it("has a column per step and a row per level, no prefix first", () => {
    expect(map.columns).toEqual([
      { from: 0, to: 1, total: 12 },
      { from: 1, to: 2, total: 12 },
    ]);
    expect(map.rows.map((row) => row.label)).toEqual(["no prefix", "20 % of trace"]);
  });

  it("has shares of every column that add up to one", () => {
    for (const c of [0, 1]) expect(share(map, 0, c) + share(map, 1, c)).toBeCloseTo(1);
    expect(share(map, 1, 1)).toBeCloseTo(4 / 12);
  });

  it("has the success rate of a cell, and none where nothing was sampled", () => {
    expect(success(map, 1, 0)).toBe(0.5);
    expect(success(levelMap([step(1, 0)], 1), 1, 0)).toBeNull();
  });

  it("describes a cell with its exact numbers", () => {
    expect(describeCell(map, 1, 0)).toBe("step 1, 20 % of trace: 16.7 % (2 of 12 samples), 50.0 % right");
    expect(describeCell(map, 0, 0)).toBe(
      "step 1, no prefix: 83.3 % (10 of 12 samples), 25.0 % right of the model's 8 alone",
    );
    expect(describeCell(map, 9, 9)).toBe("");
  });

  it("keeps every sample when it adds steps together", () => {
    const many = Array.from({ length: 101 }, (_, i) => step(i + 1));
    const thinned = levelMap(many, 1, 50);
    expect(thinned.columns.length).toBeLessThanOrEqual(50);
    expect(thinned.columns.reduce((sum, c) => sum + c.total, 0)).toBe(101 * 12);
    expect(thinned.columns[0]).toEqual({ from: 0, to: 3, total: 36 });
    expect(thinned.columns.at(-1)).toMatchObject({ from: 99, to: 101 });
  });

  it("starts where the zoomed steps start", () => {
    expect(levelMap([step(41), step(42)], 1).columns[0]).toMatchObject({ from: 40, to: 41 });
  });

  it("is empty without steps", () => {
    expect(levelMap([], 1).columns).toEqual([]);
  });
});

describe("length map", () => {
  it("has row 0 for no prefix and stops at the longest prefix", () => {
    const map = lengthMap([step(1)], 1);
    expect(map.rows.map((row) => [row.label, row.samples[0]])).toEqual([
      ["no prefix", 10],
      ["1–16 tokens", 0],
      ["17–32 tokens", 2],
    ]);
  });

  it("joins bins that would be thinner than a row, and loses none", () => {
    const wide = { ...step(1), prefix_lengths: { bin_tokens: 4, counts: [5, ...Array<number>(100).fill(1)] } };
    const map = lengthMap([wide], 1, 150, 40);
    expect(map.rows.length).toBeLessThanOrEqual(41);
    expect(map.rows.reduce((sum, row) => sum + row.samples[0]!, 0)).toBe(105);
  });
});

describe("the two colourings", () => {
  const told = (at: number): GuidanceStep => {
    const lengths = { bin_tokens: 16, counts: [10, 0, 2], rewards: [3, 0, 1] };
    return { ...step(at), prefix_lengths: lengths };
  };

  it("are the share of samples and the success rate; nothing where nothing was sampled", () => {
    const map = levelMap([step(1, 0)], 1);
    expect([cellValue(map, 0, 0, "share"), cellValue(map, 0, 0, "success")]).toEqual([1, 2 / 8]);
    expect([cellValue(map, 1, 0, "share"), cellValue(map, 1, 0, "success")]).toEqual([null, null]);
  });

  it("hold for lengths where every step tells their rewards", () => {
    expect(cellValue(lengthMap([told(1)], 1), 2, 0, "success")).toBe(0.5);
    expect(cellValue(lengthMap([told(1)], 1), 0, 0, "success")).toBe(2 / 8);
    expect(cellValue(lengthMap([told(1), step(2)], 1), 2, 0, "success")).toBeNull();
    const sums = lengthMap([told(1), told(2), told(3)], 1, 2);
    expect(sums.rows[2]!.reward).toEqual([2, 1]);
  });

  it("are both in the table", () => {
    expect(heatTable(levelMap([step(1)], 1)).head.at(-1)).toBe("success rate");
  });
});

it("a method without prefixes is told by what it does instead", () => {
  expect(insteadOfPrefixes("sft")).toContain("samples nothing itself");
  expect(insteadOfPrefixes(null)).toContain(
    "this method has no guided slots: every sample starts from the bare problem",
  );
});

it("thinning changes nothing when there is room", () => {
  const few = [step(1), step(2)];
  expect(thin(few, 2)).toEqual(few);
});

it("the guided share is over all samples, guided or not", () => {
  expect(guidedShare([step(1), step(2, 4)])).toEqual({ steps: [1, 2], values: [2 / 12, 4 / 12] });
});

it("plain reinforcement learning has nothing to draw", () => {
  expect(canGuide([{ ...step(1), slots: [slot(0, 0, 0, 0, 8, 2)] }])).toBe(false);
  expect(canGuide([step(1, 0)])).toBe(true);
});

it("the summary compares the ends of the run", () => {
  expect(summarize([])).toBe("No step has been trained yet.");
  expect(summarize([step(1, 4), step(2, 0)])).toContain("33.3 % in the first step, 0.0 % in the last");
});

it("the summary counts steps, not the buckets that they are added up in", () => {
  const buckets = Array.from({ length: 20 }, (_, i) => step(32 * (i + 1) - 1));
  expect(summarize(buckets, 32)).toMatch(/in the first 63 steps, .* in the last 64 steps/);
});
