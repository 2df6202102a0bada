import { expect, it } from "vitest";
import { append, cut, halved, isCoarse, lastMean, rises, splice } from "./columns";

const long = { steps: [10, 20, 30, 40], values: [1, 2, 3, 4], low: [0, 1, 2, 3], high: [2, 3, 4, 5] };

it("a column grows by later steps only, its extremes with it", () => {
  const column = structuredClone(long);
  append(column, 40, 9);
  append(column, 41, 9);
  expect(column.steps).toEqual([10, 20, 30, 40, 41]);
  expect(column.high).toEqual([2, 3, 4, 5, 9]);
  expect(cut(column, 20)).toEqual({ steps: [10, 20], values: [1, 2], low: [0, 1], high: [2, 3] });
  expect(cut({ steps: [1], values: [1] }, 5).steps).toEqual([1]);
});

it("a column of half as many points keeps its extremes, its last step and its sum over steps", () => {
  expect(halved({ steps: [1, 2, 3, 4, 5], values: [1, 3, 5, 1, 7] })).toEqual({
    ...{ steps: [2, 4, 5], values: [2, 3, 7] },
    ...{ low: [1, 1, 7], high: [3, 5, 7] },
  });
  // A bucket of ten steps weighs ten times as much as a step.
  expect(halved({ steps: [10, 20, 30, 31], values: [1, 2, 3, 14], low: [0, 1, 2, 14], high: [2, 3, 4, 14] })).toEqual({
    ...{ steps: [20, 31], values: [1.5, 4] },
    ...{ low: [0, 2], high: [3, 14] },
  });
  expect(halved({ steps: [1, 2], values: [Number.NaN, 4] })).toEqual({
    ...{ steps: [2], values: [Number.NaN] },
    ...{ low: [4], high: [4] },
  });
  expect(halved({ steps: [7], values: [2] })).toEqual({ steps: [7], values: [2], low: [2], high: [2] });
});

it("a finer part takes the place of the buckets of its window", () => {
  const finer = { steps: [15, 18, 25], values: [7, 8, 9] };
  const joined = splice(long, finer, [15, 25]);
  expect(joined.steps).toEqual([10, 15, 18, 25, 30, 40]);
  expect(joined.low).toEqual([0, 7, 8, 9, 2, 3]);
});

it("a window is coarse while its points stand for several steps", () => {
  expect(isCoarse(long, [5, 35])).toBe(true);
  expect(isCoarse(splice(long, { steps: [20, 21, 22, 23], values: [1, 1, 1, 1] }, [20, 23]), [20, 23])).toBe(false);
  expect(isCoarse({ steps: [1, 5], values: [1, 2] }, [1, 5])).toBe(false); // a series that is seldom written
});

it("the last mean looks back over steps, past what is not a number", () => {
  expect(lastMean({ steps: [1, 2, 3, 4], values: [8, 1, Number.NaN, 3] }, 3)).toBe(2);
  expect(lastMean({ steps: [1, 2], values: [8, Number.NaN] }, 3)).toBeNaN();
});

it("a count's rises are found, also inside of a bucket", () => {
  expect(rises({ steps: [1, 2, 3, 4], values: [0, 1, 1, 2] })).toEqual([2, 4]);
  expect(rises({ steps: [10, 20], values: [0.5, 1], low: [0, 1], high: [1, 1] })).toEqual([10]);
});
