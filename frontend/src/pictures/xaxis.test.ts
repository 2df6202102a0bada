import { expect, it } from "vitest";
import { cumulated, STEPS } from "./xaxis";

it("the step axis changes nothing", () => {
  expect(STEPS.at(7)).toBe(7);
  expect(STEPS.stepAt(7)).toBe(7);
});

it("a bucket of n steps counts n times its mean", () => {
  const axis = cumulated("time", { steps: [10, 20, 40], values: [1, 2, 3] });
  expect([0, 10, 20, 40].map(axis.at)).toEqual([0, 10, 30, 90]);
  expect(axis.at(30)).toBe(60);
});

it("a place on the axis leads back to its step, also beyond the ends", () => {
  const axis = cumulated("tokens", { steps: [1, 2, 3, 4], values: [100, 300, 50, 200] });
  for (const step of [-1, 0, 0.5, 1, 2.25, 4, 9]) expect(axis.stepAt(axis.at(step))).toBeCloseTo(step);
});

it("a value that is not a number takes the pace before it", () => {
  const axis = cumulated("time", { steps: [1, 2, 3], values: [2, Number.NaN, 2] });
  expect(axis.at(3)).toBe(6);
});

it("an axis of a run without steps is still an axis", () => {
  const axis = cumulated("time", { steps: [], values: [] });
  expect(axis.at(5)).toBe(5);
});
