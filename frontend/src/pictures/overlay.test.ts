import { expect, it } from "vitest";
import type { Column, RunDetail } from "../types";
import { meanOf, overlay, sayOverlay } from "./overlay";
import { plainAxis, STEPS } from "./xaxis";

const side = (label: string, ...ids: string[]) => ({
  label,
  color: "run-a",
  runs: ids.map((id) => ({ id }) as RunDetail),
});
const drawn = (columns: Record<string, Column>, axis = STEPS) =>
  new Map(
    Object.entries(columns).map(([id, column]) => [
      id,
      { curves: { raw: new Map([["k", column]]), smoothed: new Map() }, axis },
    ]),
  );

it("seeds become their mean with the lowest and the highest", () => {
  const a = { steps: [1, 2], values: [0, 1] };
  const b = { steps: [1, 2], values: [1, 3] };
  expect(meanOf([a, b], "range")).toEqual({ steps: [1, 2], values: [0.5, 2], low: [0, 1], high: [1, 3] });
});

it("the other band is one standard deviation to either side", () => {
  const columns = [1, 2, 3].map((v) => ({ steps: [1], values: [v] }));
  expect(meanOf(columns, "sd")).toEqual({ steps: [1], values: [2], low: [1], high: [3] });
});

it("points that stand at other steps are read between their neighbours, never beyond the ends", () => {
  const a = { steps: [0, 4], values: [0, 4] };
  const b = { steps: [2, 6], values: [10, 10] };
  const { steps, values } = meanOf([a, b], "range");
  expect(steps).toEqual([0, 2, 4, 6]);
  expect(values).toEqual([0, 6, 7, 10]);
});

it("what is not finite is left out of the mean and marked", () => {
  const columns = { a: { steps: [1, 2], values: [Number.NaN, 1] }, b: { steps: [1, 2], values: [3, 3] } };
  const plot = overlay([side("both", "a", "b")], drawn(columns), "k", "range");
  expect(plot.lines[0]!.values).toEqual([3, 2]);
  expect(plot.broken).toEqual([1]);
});

it("one line for each side; a run without the series has none", () => {
  const columns = { a: { steps: [1, 3], values: [1, 3] }, b: { steps: [1, 2], values: [5, 6] } };
  const plot = overlay([side("a", "a"), side("b", "b"), side("c", "c")], drawn(columns), "k", "range");
  expect(plot.x).toEqual([1, 2, 3]);
  expect(plot.lines.map((line) => [line.label, line.values])).toEqual([
    ["a", [1, undefined, 3]],
    ["b", [5, 6, undefined]],
  ]);
  expect(sayOverlay(plot, 0, STEPS, (v) => String(v))).toBe("Step 1: a 1, b 5");
});

it("on an axis of time each run goes at its own pace", () => {
  const slow = { ...plainAxis("time"), at: (step: number) => step * 60 };
  const plot = overlay([side("a", "a")], drawn({ a: { steps: [1, 2], values: [1, 2] } }, slow), "k", "range");
  expect(plot.x).toEqual([60, 120]);
  expect(sayOverlay(plot, 1, plainAxis("time"), (v) => String(v))).toBe("Time trained 2 min: a 2");
});
