/** Columns of numbers over steps: growing, cutting, joining a finer part in. Growing and cutting are in place. */
import type { Column } from "../types";

export function append(column: Column, step: number, value: number): void {
  if (step <= (column.steps.at(-1) ?? -1)) return;
  column.steps.push(step);
  column.values.push(value);
  column.low?.push(value);
  column.high?.push(value);
}

/** Two neighbours become one, with its last step, the mean of both by the steps they stand for, and their extremes: a
 *  page that is open for days does not grow without end. */
export function halved({ steps, values, low = values, high = values }: Column): Required<Column> {
  const out: Required<Column> = { steps: [], values: [], low: [], high: [] };
  const widthOf = (i: number): number => steps[Math.max(i, 1)]! - steps[Math.max(i, 1) - 1]!;
  for (let i = 0; i < steps.length; i += 2) {
    const [one, two] = [i, Math.min(i + 1, steps.length - 1)]; // the last may stay for itself
    const ends = [low[one]!, high[one]!, low[two]!, high[two]!].filter(Number.isFinite);
    const [a, b] = one === two ? [1, 0] : [widthOf(one), widthOf(two)];
    out.steps.push(steps[two]!);
    out.values.push((values[one]! * a + values[two]! * b) / (a + b));
    out.low.push(ends.length ? Math.min(...ends) : Number.NaN);
    out.high.push(ends.length ? Math.max(...ends) : Number.NaN);
  }
  return out;
}

/** What an attempt wrote after `step` is void when another goes on from there. */
export function cut({ steps, values, low, high }: Column, step: number): Column {
  const keep = steps.findIndex((s) => s > step);
  const part = <T>(all: T[]): T[] => (keep < 0 ? all : all.slice(0, keep));
  return { steps: part(steps), values: part(values), low: low && part(low), high: high && part(high) };
}

/** The mean of the finite among the last `window` steps of a column that has them all; NaN where its last is none. */
export function lastMean({ steps, values }: Column, window: number): number {
  const last = steps.length - 1;
  if (!Number.isFinite(values[last])) return Number.NaN;
  let [sum, n] = [0, 0];
  for (let i = last; i >= 0 && steps[i]! > steps[last]! - window; i -= 1) {
    if (!Number.isFinite(values[i])) continue;
    sum += values[i]!;
    n += 1;
  }
  return sum / n;
}

/** Whether a point of the window stands for more than one step. */
export function isCoarse({ steps, low }: Column, [from, to]: readonly [number, number]): boolean {
  if (!low) return false;
  const seen = steps.filter((step) => step >= from && step <= to).length;
  return seen < (Math.min(to, steps.at(-1) ?? 0) - Math.max(from, steps[0] ?? 0)) * 0.9;
}

/** The column with its part over [from, to] in place of what it has there. */
export function splice(column: Column, finer: Column, [from, to]: readonly [number, number]): Column {
  const end = Math.min(to, finer.steps.at(-1) ?? -1);
  const before = column.steps.filter((step) => step < from).length;
  const after = column.steps.findIndex((step) => step > end);
  const join = (a: number[], b: number[]): number[] => [
    ...a.slice(0, before),
    ...b,
    ...(after < 0 ? [] : a.slice(after)),
  ];
  const { low, high } = column;
  return {
    steps: join(column.steps, finer.steps),
    values: join(column.values, finer.values),
    low: low && join(low, finer.low ?? finer.values),
    high: high && join(high, finer.high ?? finer.values),
  };
}

/** Steps at which a number that only counts up went up. */
export function rises({ steps, values, high }: Column): number[] {
  let most = 0;
  return steps.filter((_, i) => {
    const value = high?.[i] ?? values[i]!;
    const more = value > most;
    most = Math.max(most, Number.isFinite(value) ? value : most);
    return more;
  });
}
