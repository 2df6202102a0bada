/** What a step is called on the x axis: itself, the time trained, or the tokens sampled until then. Cursor and zoom are
 *  in steps whatever the axis is; an axis only says where a step stands. */
import { compact, count, duration } from "../format";
import type { Column } from "../types";

export type AxisKind = "step" | "time" | "tokens";

export interface Axis {
  kind: AxisKind;
  label: string;
  at: (step: number) => number;
  stepAt: (value: number) => number;
  format: (value: number) => string;
  /** Distances of ticks to choose from. */
  steps: number[];
}

const DECADES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const ROUND = DECADES.flatMap((power) => [1, 2, 5].map((m) => m * 10 ** power));
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const ROUND_TIME = [
  ...[1, 2, 5, 10, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE],
  ...[HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY],
];

export const STEPS: Axis = {
  kind: "step",
  label: "training step",
  at: (step) => step,
  stepAt: (value) => value,
  format: count,
  steps: ROUND,
};

/** The series that an axis adds up. */
export const AXIS_KEYS = { time: "time/step_s", tokens: "engine/sampled_tokens" } as const;

export const AXIS_NAMES: Record<AxisKind, string> = { step: "step", time: "time", tokens: "tokens" };

/** An axis that adds a series up. A point of a long run is the mean of a bucket and counts as often as it has steps. */
export function cumulated(kind: "time" | "tokens", column: Column): Axis {
  const steps = [0];
  const sums = [0];
  let rate = column.values.find(Number.isFinite) ?? 1;
  column.steps.forEach((step, i) => {
    const value = column.values[i]!;
    if (Number.isFinite(value)) rate = value; // a broken value must not end the axis
    sums.push(sums.at(-1)! + (step - steps.at(-1)!) * Math.max(rate, 1e-9));
    steps.push(step);
  });
  rate = Math.max(rate, 1e-9);
  const names = { time: "time trained", tokens: "tokens sampled" };
  return {
    kind,
    label: names[kind],
    at: (step) => along(steps, sums, step, rate),
    stepAt: (value) => along(sums, steps, value, 1 / rate),
    format: kind === "time" ? duration : compact,
    steps: kind === "time" ? ROUND_TIME : ROUND,
  };
}

/** An axis whose values are at hand already, such as the seconds of several runs. */
export const plainAxis = (kind: AxisKind): Axis =>
  kind === "step" ? STEPS : { ...cumulated(kind, { steps: [], values: [] }), at: same, stepAt: same };
const same = (value: number): number => value;

/** The piecewise linear function through (from, to) at x; beyond the ends it goes on at `rate`. */
function along(from: readonly number[], to: readonly number[], x: number, rate: number): number {
  const last = from.length - 1;
  if (last < 1 || x >= from[last]!) return to[last]! + (x - from[last]!) * rate;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle]! <= x) low = middle;
    else high = middle;
  }
  const part = (x - from[low]!) / (from[high]! - from[low]!);
  return to[low]! + part * (to[high]! - to[low]!);
}

export const isAxis = (word: string | null): word is AxisKind =>
  word === "step" || word === "time" || word === "tokens";
