/** From groups of samples to marks and words. */
import type { Asked } from "../api/rollouts";
import { count, decimal, percent } from "../format";
import type { Group, GroupSample } from "../types";
import { oneLine } from "./plain";
import type { Table } from "./table";

export interface SlotSamples {
  slot: number;
  samples: GroupSample[];
}

export function slotsOf(group: Group): SlotSamples[] {
  const slots = new Map<number, GroupSample[]>();
  for (const sample of group.samples) slots.set(sample.slot, [...(slots.get(sample.slot) ?? []), sample]);
  return [...slots].map(([slot, samples]) => ({ slot, samples }));
}

/** How a sample is drawn: its sign by the reward, its shape by the end, its bar by the prefix. */
export interface Mark {
  sign: "right" | "wrong" | "part" | "unknown";
  cut: boolean;
  ratio: number;
}

type Judged = Pick<GroupSample, "outcome" | "reward" | "finish" | "ratio" | "guided">;

export function markOf({ outcome, reward, finish, ratio, guided }: Judged): Mark {
  const unknown = outcome === "error" || outcome === "timeout";
  const sign = unknown ? "unknown" : reward >= 1 ? "right" : reward > 0 ? "part" : "wrong";
  return { sign, cut: finish === "length", ratio: guided ? ratio : 0 };
}

const OUTCOMES: Record<string, string> = {
  error: "could not be checked",
  timeout: "not checked in time",
};
const ENDS: Record<string, string> = {
  stop: "came to its end",
  length: "truncated",
  expert: "the expert's whole trace",
};
export const outcomeWords = (outcome: string): string => OUTCOMES[outcome] ?? outcome;
export const endWords = (finish: string): string => ENDS[finish] ?? finish;
export const guidedWords = (sample: Pick<GroupSample, "guided" | "ratio">): string =>
  sample.guided ? `guided by ${percent(sample.ratio, 0)} of the trace` : "unguided";
export const signed = (value: number | null): string =>
  value === null ? "not learned from" : `${value < 0 ? "−" : "+"}${decimal(Math.abs(value), 2)}`;

export function describeSample(sample: GroupSample): string {
  const learned = sample.advantage === null ? "not learned from" : `advantage ${signed(sample.advantage)}`;
  const length = sample.completion_tokens ? `${count(sample.completion_tokens)} own tokens` : "no own tokens";
  return [
    `Slot ${sample.slot}, sample ${sample.sample}: ${outcomeWords(sample.outcome)}`,
    guidedWords(sample),
    `reward ${decimal(sample.reward, 2)}`,
    learned,
    length,
    endWords(sample.finish),
  ].join(", ");
}

const rightOf = (samples: readonly GroupSample[]): number => samples.filter((s) => s.reward >= 1).length;
export const slotWords = ({ slot, samples }: SlotSamples): string =>
  `Slot ${slot}: ${rightOf(samples)} of ${samples.length} right`;

/** Success, mean reward, and between which advantages the group teaches. */
export function groupFacts({ samples }: Group): { right: string; reward: string; advantage: string } {
  const mean = samples.reduce((sum, s) => sum + s.reward, 0) / samples.length;
  const advantages = samples.flatMap((s) => (s.advantage === null ? [] : [s.advantage]));
  const [low, high] = [Math.min(...advantages), Math.max(...advantages)];
  const range = low === high ? signed(low) : `${signed(low)} to ${signed(high)}`;
  return {
    right: `${rightOf(samples)} of ${samples.length} right`,
    reward: decimal(mean, 2),
    advantage: advantages.length ? range : "none",
  };
}

/** The words of the URL as the api's words. */
export function askedOf(query: URLSearchParams): Asked {
  const asked: Asked = {};
  for (const name of ["step", "problem", "verdict", "finish", "contains", "matches"] as const) {
    const value = query.get(name);
    if (value) asked[name] = value;
  }
  if (query.get("min")) asked.min_reward = query.get("min")!;
  if (query.get("max")) asked.max_reward = query.get("max")!;
  if (query.get("guided")) asked.guided = query.get("guided") === "yes";
  return asked;
}

/** Whether samples, and not only steps and problems, are filtered. */
export const isFiltered = ({ step: _step, problem: _problem, ...rest }: Asked): boolean => Object.keys(rest).length > 0;

export const groupsTable = (groups: readonly Group[]): Table => ({
  head: [
    "step",
    "problem",
    "rollout",
    "slot",
    "sample",
    "guided ratio",
    "outcome",
    "reward",
    "advantage",
    "end",
  ].concat(["prefix tokens", "own tokens"]),
  rows: groups.flatMap((g) =>
    g.samples.map((s) => [
      g.step,
      oneLine(g.problem),
      s.id,
      s.slot,
      s.sample,
      s.guided ? s.ratio : 0,
      s.outcome,
      s.reward,
      s.advantage,
      s.finish,
      s.prefix_tokens,
      s.completion_tokens,
    ]),
  ),
});
