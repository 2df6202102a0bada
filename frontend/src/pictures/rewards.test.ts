import { expect, it } from "vitest";
import type { GuidanceStep } from "../types";
import { align, notFinite, rewardByLevel, trailingMean, wilson, windowFor } from "./rewards";

it("the trailing mean looks back only and leaves out what is not a number", () => {
  expect(trailingMean([1, 2, 3, 4], 2)).toEqual([1, 1.5, 2.5, 3.5]);
  expect(trailingMean([1, Number.NaN, 3], 3)).toEqual([1, 1, 2]);
  expect(trailingMean([Number.NaN], 3)).toEqual([Number.NaN]);
});

it("the window grows with the run", () => {
  expect(windowFor(60)).toBe(10);
  expect(windowFor(2000)).toBe(40);
});

it("columns share one axis: a missing step is undefined, a value that is no number a gap", () => {
  const { x, ys } = align([
    { steps: [1, 2, 4], values: [0.1, Number.NaN, 0.4] },
    { steps: [2, 3], values: [0.2, 0.3] },
  ]);
  expect(x).toEqual([1, 2, 3, 4]);
  expect(ys).toEqual([
    [0.1, null, undefined, 0.4],
    [undefined, 0.2, 0.3, undefined],
  ]);
});

it("steps that are not finite are found", () => {
  expect(notFinite({ steps: [1, 2, 3], values: [0, Number.NaN, Number.POSITIVE_INFINITY] })).toEqual([2, 3]);
});

const step = (at: number, guided: number, right: number): GuidanceStep => ({
  step: at,
  slots: [
    { slot: 0, ratio: 0, guided: 0, guided_reward: 0, unguided: 4, unguided_reward: 1 },
    { slot: 1, ratio: 0.5, guided, guided_reward: right, unguided: 0, unguided_reward: 0 },
  ],
  prefix_lengths: { bin_tokens: 1, counts: [4, guided] },
});

it("reward by level pools the window, so that one lucky sample is not a rate of one", () => {
  const { curves } = rewardByLevel([step(1, 1, 1), step(2, 3, 0), step(3, 0, 0)], 2);
  expect(curves.map((c) => c.label)).toEqual(["no prefix", "50 % of trace"]);
  expect(curves[0]!.values).toEqual([0.25, 0.25, 0.25]);
  expect(curves[1]!.values).toEqual([1, 0.25, 0]);
});

it("no prefix is the model alone: what a later slot let go without one is a choice of easier problems", () => {
  const eased = step(1, 1, 0);
  eased.slots[1] = { ...eased.slots[1]!, unguided: 4, unguided_reward: 4 };
  expect(rewardByLevel([eased], 1).curves[0]!.values).toEqual([0.25]);
});

it("reward by level is not a number while a window holds no sample", () => {
  const { curves } = rewardByLevel([step(1, 1, 1), step(2, 0, 0), step(3, 0, 0)], 1);
  expect(curves[1]!.values).toEqual([1, Number.NaN, Number.NaN]);
});

it("a rate comes with Wilson's interval, wide for a handful and never outside of [0, 1]", () => {
  const [low, high] = wilson(0.5, 10);
  expect([low, high]).toEqual([expect.closeTo(0.2366, 3), expect.closeTo(0.7634, 3)]);
  expect(wilson(1, 1)[1]).toBe(1);
  expect(wilson(0, 4)[0]).toBe(0);
  expect(wilson(Number.NaN, 0)[0]).toBeNaN();
});
