/** From series and guidance to the reward lines. */
import { levelName } from "../format";
import type { Column, GuidanceStep } from "../types";
import { levelsOf } from "./guidance";

/** The smoothing window: ten steps, or a fiftieth of a long run. The caption says which. */
export const windowFor = (points: number): number => Math.max(10, Math.ceil(points / 50));

/** Mean of the last `window` points. It looks back only, so that a live line never changes behind the reader. */
export function trailingMean(values: readonly number[], window: number): number[] {
  return values.map((_, i) => {
    const part = values.slice(Math.max(0, i - window + 1), i + 1).filter(Number.isFinite);
    return part.length ? part.reduce((a, b) => a + b, 0) / part.length : Number.NaN;
  });
}

export interface LevelCurve {
  ratio: number;
  label: string;
  values: number[];
  /** Wilson's 95 % interval of each value: a level may rest on a handful of samples. */
  low: number[];
  high: number[];
}

const Z = 1.959964;

/** Wilson's 95 % interval of a rate over `n` samples. */
export function wilson(rate: number, n: number): [number, number] {
  if (n <= 0) return [Number.NaN, Number.NaN];
  const z2 = Z * Z;
  const middle = (rate + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z * Math.sqrt((rate * (1 - rate)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** Success rate by level over the last `window` steps, pooled: all rewards over all samples, because a level may
 *  have a handful of samples in one step. NaN where the window has none. */
export function rewardByLevel(
  steps: readonly GuidanceStep[],
  window: number,
): { steps: number[]; curves: LevelCurve[] } {
  const outcomes = steps.map((step) => new Map(levelsOf(step.slots).map((level) => [level.ratio, level])));
  const ratios = [...new Set(outcomes.flatMap((levels) => [...levels.keys()]))].sort((a, b) => a - b);
  const curves = ratios.map((ratio) => {
    let samples = 0;
    let reward = 0;
    const bands: [number, number][] = [];
    const values = outcomes.map((levels, i) => {
      const [come, go] = [levels.get(ratio), outcomes[i - window]?.get(ratio)];
      samples += (come?.tried ?? 0) - (go?.tried ?? 0);
      reward += (come?.reward ?? 0) - (go?.reward ?? 0);
      const rate = samples > 0 ? Math.min(1, Math.max(0, reward / samples)) : Number.NaN;
      bands.push(wilson(rate, samples));
      return rate;
    });
    const [low, high] = [bands.map((b) => b[0]), bands.map((b) => b[1])];
    return { ratio, label: levelName(ratio), values, low, high };
  });
  return { steps: steps.map((step) => step.step), curves };
}

/** One x axis for several columns. Missing steps are undefined (the line runs on), not-finite values null (a gap). */
export function align(columns: readonly Column[]): { x: number[]; ys: (number | null | undefined)[][] } {
  const x = [...new Set(columns.flatMap((c) => c.steps))].sort((a, b) => a - b);
  const place = new Map(x.map((step, i) => [step, i]));
  const ys = columns.map((column) => {
    const y = new Array<number | null | undefined>(x.length).fill(undefined);
    column.steps.forEach((step, i) => {
      const value = column.values[i]!;
      y[place.get(step)!] = Number.isFinite(value) ? value : null;
    });
    return y;
  });
  return { x, ys };
}

/** Steps whose value is not a number: drawn as red ticks on the axis, never dropped in silence. */
export const notFinite = (column: Column): number[] =>
  column.steps.filter((_, i) => !Number.isFinite(column.values[i]));

export const EMPTY: Column = { steps: [], values: [] };
