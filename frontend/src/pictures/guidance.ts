/** From the guidance of each step to the two heat maps: step × prefix level, and step × prefix length. */
import { count, levelName, percent } from "../format";
import type { GuidanceStep, SlotOutcome } from "../types";
import type { Table } from "./table";

/** One column of the map: the steps (from, to] added up. */
export interface HeatColumn {
  from: number;
  to: number;
  total: number;
}

export interface HeatRow {
  label: string;
  /** Short form for the axis. */
  tick: string;
  samples: number[];
  /** Sum of rewards per column; null where rewards by row are not known (lengths). */
  reward: number[] | null;
  /** The samples that the rewards are of, where those are not all. */
  tried?: number[];
}

/** Rows go upwards: row 0, "no prefix", is at the bottom. */
export interface HeatData {
  columns: HeatColumn[];
  rows: HeatRow[];
  rowTitle: string;
}

export interface Level {
  ratio: number;
  samples: number;
  /** The samples that `reward` is the sum over. */
  tried: number;
  reward: number;
}

/** What each level did in one step. A guided slot's samples that needed no prefix count as "no prefix", but not in its
 *  success: they are a choice of easier problems, and only a slot that never guides measures the model alone. */
export function levelsOf(slots: readonly SlotOutcome[]): Level[] {
  const levels = new Map<number, Level>([[0, { ratio: 0, samples: 0, tried: 0, reward: 0 }]]);
  const add = (ratio: number, samples: number, reward: number, counts = true): void => {
    const level = levels.get(ratio) ?? { ratio, samples: 0, tried: 0, reward: 0 };
    level.samples += samples;
    if (counts) {
      level.tried += samples;
      level.reward += reward;
    }
    levels.set(ratio, level);
  };
  for (const slot of slots) {
    add(0, slot.unguided, slot.unguided_reward, slot.ratio === 0);
    add(slot.ratio, slot.guided, slot.guided_reward);
  }
  return [...levels.values()].sort((a, b) => a.ratio - b.ratio);
}

/** Columns of one picture: enough to see a trend bend, few enough that a column holds more than noise. */
export const COLUMNS = 150;

/** The steps inside of a zoom window; all without one. */
export const within = (
  steps: readonly GuidanceStep[],
  zoom: readonly [number, number] | null,
): readonly GuidanceStep[] => (zoom ? steps.filter((s) => s.step >= zoom[0] - 0.5 && s.step <= zoom[1] + 0.5) : steps);

/** Adds neighbouring steps together until there are at most `max` of them: a picture has only so many pixels. */
export function thin(steps: readonly GuidanceStep[], max: number): GuidanceStep[] {
  const factor = Math.max(1, Math.ceil(steps.length / max));
  if (factor === 1) return [...steps];
  const out: GuidanceStep[] = [];
  for (let i = 0; i < steps.length; i += factor) out.push(steps.slice(i, i + factor).reduce(addSteps));
  return out;
}

/** The sum of two neighbouring steps under the later one's number. */
export function addSteps(a: GuidanceStep, b: GuidanceStep): GuidanceStep {
  const slots = b.slots.map((slot) => {
    const other = a.slots.find((s) => s.slot === slot.slot && s.ratio === slot.ratio);
    if (!other) return slot;
    return {
      ...slot,
      guided: slot.guided + other.guided,
      guided_reward: slot.guided_reward + other.guided_reward,
      unguided: slot.unguided + other.unguided,
      unguided_reward: slot.unguided_reward + other.unguided_reward,
    };
  });
  // A stage may change the schedule: slots that only the earlier step has stay counted.
  slots.push(...a.slots.filter((s) => !b.slots.some((t) => t.slot === s.slot && t.ratio === s.ratio)));
  const [x, y] = [a.prefix_lengths.counts, b.prefix_lengths.counts];
  const counts = addUp(x, y);
  const [p, q] = [a.prefix_lengths.rewards, b.prefix_lengths.rewards];
  // Steps of before do not say how prefixes of a length fared, and neither does a sum with them.
  const rewards = p && q ? addUp(p, q) : null;
  return { step: b.step, slots, prefix_lengths: { bin_tokens: b.prefix_lengths.bin_tokens, counts, rewards } };
}

const addUp = (x: readonly number[], y: readonly number[]): number[] =>
  Array.from({ length: Math.max(x.length, y.length) }, (_, i) => (x[i] ?? 0) + (y[i] ?? 0));

function columnsOf(
  steps: readonly GuidanceStep[],
  all: readonly GuidanceStep[],
  perStep: number,
  totals: number[],
): HeatColumn[] {
  const start = Math.max(0, (all[0]?.step ?? 1) - perStep);
  const wide = perStep * Math.ceil(all.length / Math.max(1, steps.length));
  return steps.map((step, i) => {
    const before = steps[i - 1]?.step ?? start;
    return { from: Math.max(before, step.step - wide), to: step.step, total: totals[i] ?? 0 };
  });
}

export function levelMap(all: readonly GuidanceStep[], stepsPerBucket: number, maxColumns = COLUMNS): HeatData {
  const steps = thin(all, maxColumns);
  const outcomes = steps.map((step) => levelsOf(step.slots));
  const ratios = [...new Set(outcomes.flat().map((level) => level.ratio))].sort((a, b) => a - b);
  const totals = outcomes.map((levels) => levels.reduce((sum, level) => sum + level.samples, 0));
  const rows = ratios.map((ratio) => {
    const cells = outcomes.map((levels) => levels.find((level) => level.ratio === ratio));
    return {
      label: levelName(ratio),
      tick: ratio === 0 ? "no prefix" : `${Number((ratio * 100).toFixed(1))} %`,
      samples: cells.map((cell) => cell?.samples ?? 0),
      reward: cells.map((cell) => cell?.reward ?? 0),
      tried: cells.map((cell) => cell?.tried ?? 0),
    };
  });
  return { columns: columnsOf(steps, all, stepsPerBucket, totals), rows, rowTitle: "prefix level" };
}

export function lengthMap(
  all: readonly GuidanceStep[],
  stepsPerBucket: number,
  maxColumns = COLUMNS,
  maxRows = 40,
): HeatData {
  const steps = thin(all, maxColumns);
  const width = steps.at(-1)?.prefix_lengths.bin_tokens ?? 1;
  const used = Math.max(1, ...steps.map((s) => lastUsed(s.prefix_lengths.counts)));
  const join = Math.max(1, Math.ceil(used / maxRows));
  const none = row("no prefix", "none", steps, 0, 0);
  const alone = steps.map((step) => levelsOf(step.slots)[0]!);
  if (none.reward) {
    none.reward = alone.map((level) => level.reward);
    none.tried = alone.map((level) => level.tried);
  }
  const rows: HeatRow[] = [none];
  for (let first = 1; first <= used; first += join) {
    const last = first + join - 1;
    const [low, high] = [(first - 1) * width, last * width];
    rows.push(row(`${low + 1}–${high} tokens`, String(high), steps, first, last));
  }
  const totals = steps.map((s) => s.prefix_lengths.counts.reduce((a, b) => a + b, 0));
  return { columns: columnsOf(steps, all, stepsPerBucket, totals), rows, rowTitle: "prefix length, tokens" };
}

function row(label: string, tick: string, steps: readonly GuidanceStep[], first: number, last: number): HeatRow {
  const part = (values: readonly number[]): number => values.slice(first, last + 1).reduce((a, b) => a + b, 0);
  const samples = steps.map((s) => part(s.prefix_lengths.counts));
  const known = steps.every((s) => s.prefix_lengths.rewards);
  return { label, tick, samples, reward: known ? steps.map((s) => part(s.prefix_lengths.rewards!)) : null };
}

function lastUsed(counts: readonly number[]): number {
  let i = counts.length - 1;
  while (i > 0 && !counts[i]) i -= 1;
  return i;
}

export const share = (data: HeatData, r: number, c: number): number => {
  const total = data.columns[c]?.total ?? 0;
  return total > 0 ? (data.rows[r]?.samples[c] ?? 0) / total : 0;
};

const triedOf = ({ rows }: HeatData, r: number, c: number): number => (rows[r]?.tried ?? rows[r]?.samples)?.[c] ?? 0;

/** Success rate of one cell; null where nothing was sampled or rewards by row are not known. */
export function success(data: HeatData, r: number, c: number): number | null {
  const tried = triedOf(data, r, c);
  const reward = data.rows[r]?.reward?.[c];
  return tried > 0 && reward !== undefined ? reward / tried : null;
}

/** What the colour of a cell says: how many of the step's samples are in it, or how many of those were right. */
export type Colouring = "share" | "success";

/** From 0 to 1, or null where there is nothing to colour. */
export function cellValue(data: HeatData, r: number, c: number, by: Colouring): number | null {
  if (by === "success") return success(data, r, c);
  const part = share(data, r, c);
  return part > 0 ? part : null;
}

export function heatTable(map: HeatData): Table {
  const known = map.rows.some((row) => row.reward !== null);
  const head = ["steps", map.rowTitle, "share", "samples", "of", ...(known ? ["success rate"] : [])];
  const rows = map.columns.flatMap((column, c) =>
    map.rows.map((row, r) => {
      const cells = [columnName(column), row.label, share(map, r, c), row.samples[c] ?? 0, column.total];
      return known ? [...cells, success(map, r, c)] : cells;
    }),
  );
  return { head, rows };
}

export const columnName = ({ from, to }: HeatColumn): string =>
  to - from <= 1 ? `step ${count(to)}` : `steps ${count(from + 1)}–${count(to)}`;

/** The exact numbers of one cell, for the hover and for the screen reader alike. */
export function describeCell(data: HeatData, r: number, c: number): string {
  const [column, line] = [data.columns[c], data.rows[r]];
  if (!column || !line) return "";
  const samples = line.samples[c] ?? 0;
  const rate = success(data, r, c);
  const tried = triedOf(data, r, c);
  const right =
    rate === null ? "" : `, ${percent(rate)} right${tried < samples ? ` of the model's ${count(tried)} alone` : ""}`;
  return `${columnName(column)}, ${line.label}: ${percent(share(data, r, c))} (${count(samples)} of ${count(column.total)} samples)${right}`;
}

/** Share of samples that started from an expert prefix, step by step. */
export function guidedShare(steps: readonly GuidanceStep[]): { steps: number[]; values: number[] } {
  const values = steps.map((step) => {
    const guided = step.slots.reduce((sum, s) => sum + s.guided, 0);
    const all = step.slots.reduce((sum, s) => sum + s.guided + s.unguided, 0);
    return all > 0 ? guided / all : Number.NaN;
  });
  return { steps: steps.map((step) => step.step), values };
}

/** Whether any slot could ever guide; plain RL has a map with nothing to see. */
export const canGuide = (steps: readonly GuidanceStep[]): boolean =>
  steps.some((step) => step.slots.some((slot) => slot.ratio > 0));

const SAMPLES_ALONE = "every sample starts from the bare problem";
const INSTEAD: Record<string, string> = {
  sft: "it learns the expert's traces token by token, all with full weight, and samples nothing itself",
  dft: "it learns the expert's traces token by token, each weighted by its probability, and samples nothing itself",
  trsft: "it learns the expert's traces inside the trust region, and samples nothing itself",
  sft_then_rl: `it learns the expert's traces first; in its second stage ${SAMPLES_ALONE}`,
  relift: `${SAMPLES_ALONE}; problems that it fails at are learned from their trace, in steps of their own`,
  hpt: `${SAMPLES_ALONE}; a problem that no sample gets right is learned from its whole trace instead`,
  sasr: `${SAMPLES_ALONE}; now and then a step learns from the expert's traces instead`,
  chord_mu: `${SAMPLES_ALONE}; the expert's traces are learned beside the samples, as a stream of their own`,
  chord_phi: `${SAMPLES_ALONE}; the expert's traces are learned beside the samples, as a stream of their own`,
  bridge_mix: `${SAMPLES_ALONE}; the expert's traces are learned beside the samples, as a stream of their own`,
};

/** What a method without guided slots does, for the place where its map would be. */
export function insteadOfPrefixes(method: string | null | undefined): string {
  const name = method ?? "this method";
  const does = INSTEAD[name] ?? `${SAMPLES_ALONE}, and the model learns from which of its own answers were right`;
  return `${name} has no guided slots: ${does}. There is no distribution of prefixes to draw.`;
}

/** Why there are no steps to draw yet. */
export const sayMissing = (missing: "reading" | Error): string =>
  missing === "reading" ? "Reading the guidance…" : `The guidance could not be loaded: ${missing.message}`;

/** The picture in one sentence: how guidance changed from the first tenth of the run to the last. */
export function summarize(steps: readonly GuidanceStep[], perBucket = 1): string {
  const { values } = guidedShare(steps);
  if (values.length === 0) return "No step has been trained yet.";
  const n = Math.max(1, Math.ceil(values.length / 10));
  const mean = (part: number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
  const [first, last] = [mean(values.slice(0, n)), mean(values.slice(-n))];
  const part = (steps: number): string => (steps === 1 ? "step" : `${count(steps)} steps`);
  const end = steps.at(-1)!.step;
  const [early, late] = [Math.min(n * perBucket, steps[n - 1]!.step), end - (steps.at(-1 - n)?.step ?? 0)];
  if (end === 1) return `${percent(first)} of the samples of the first step started from an expert prefix.`;
  return `Samples that started from an expert prefix: ${percent(first)} in the first ${part(early)}, ${percent(last)} in the last ${part(late)}.`;
}
