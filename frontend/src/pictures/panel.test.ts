import { expect, it } from "vitest";
import type { Score } from "../types";
import { levelLines, sayPlot, scoreLines, seriesLines, topOf, valueAt } from "./panel";

const curve = { key: "a", label: "entropy", color: "run-a" };
const set = (raw: object, smoothed: object = {}) => ({
  raw: new Map(Object.entries(raw)),
  smoothed: new Map(Object.entries(smoothed)),
});
const short = { steps: [1, 2, 3], values: [1, Number.NaN, 3] };

it("a smoothed curve stands before its steps, and a broken step is said", () => {
  const plot = seriesLines({ curves: [curve] }, set({ a: short }, { a: { steps: [1, 2, 3], values: [1, 1, 2] } }));
  expect(plot.lines.map((line) => [line.label, line.faint ?? false])).toEqual([
    ["entropy, each step", true],
    ["entropy", false],
  ]);
  expect(plot.lines[0]!.values).toEqual([1, null, 3]);
  expect(plot.broken).toEqual([2]);
  expect(sayPlot(plot, 1, String)).toBe("Step 2: entropy 1 (not a number in this step)");
});

it("buckets show their extremes as a band", () => {
  const long = { steps: [10, 20], values: [1, 2], low: [0, 1], high: [5, 6] };
  const plot = seriesLines({ curves: [curve] }, set({ a: long }));
  expect(plot.lines[0]!.band).toEqual({ low: [0, 1], high: [5, 6] });
  expect(plot.named).toEqual([1]);
});

it("percentiles are the band of their mean", () => {
  const flat = (value: number) => ({ steps: [1], values: [value] });
  const band = { low: "lo", high: "hi", name: "p10 to p90" };
  const plot = seriesLines({ curves: [curve], band }, set({ a: flat(5), lo: flat(2), hi: flat(9) }));
  expect(sayPlot(plot, 0, String)).toBe("Step 1: entropy 5 (2 to 9)");
});

it("a series that the run does not have gives no line", () => {
  expect(seriesLines({ curves: [curve] }, set({})).lines).toEqual([]);
});

const score = (step: number, value: number): Score => ({
  step,
  benchmark: "chains",
  metric: "avg@4",
  score: value,
  low: value - 0.1,
  high: value + 0.1,
  confidence: 0.95,
  interval: "wilson",
  problems: 200,
  samples: 4,
});

it("scores are a line with their intervals around it; the later score of a step counts", () => {
  const plot = scoreLines([score(0, 0.25), score(20, 0.5), score(20, 0.75)]);
  expect(plot.x).toEqual([0, 20]);
  expect(plot.lines).toHaveLength(1);
  expect(plot.lines[0]!.values).toEqual([0.25, 0.75]);
  expect(plot.lines[0]!.band!.high[1]).toBeCloseTo(0.85);
});

it("a run without guidance has no levels to draw", () => {
  expect(levelLines([], 1, 10).x).toEqual([]);
});

it("levels are pooled over as many steps as the smoothing says, of whatever buckets", () => {
  const steps = [1, 0, 0].map((right, i) => ({
    step: 5 * (i + 1),
    slots: [{ slot: 0, ratio: 0, guided: 0, guided_reward: 0, unguided: 1, unguided_reward: right }],
    prefix_lengths: { bin_tokens: 1, counts: [1] },
  }));
  expect(levelLines(steps, 5, 1).lines[0]!.values).toEqual([1, 0, 0]);
  expect(levelLines(steps, 5, 10).lines[0]!.values).toEqual([1, 0.5, 0]);
});

it("shares end at one unless a value is beyond", () => {
  const line = { label: "", color: "", values: [0.5, null] };
  expect(topOf(1, [line])).toBe(1);
  expect(topOf(1, [{ ...line, values: [-1] }])).toBeNull();
  expect(valueAt(line, null)).toBe(0.5);
});
