import { expect, it } from "vitest";
import type { Group, GroupSample } from "../types";
import { askedOf, describeSample, groupFacts, groupsTable, isFiltered, markOf, slotsOf, slotWords } from "./groups";

const sample = (values: Partial<GroupSample> = {}): GroupSample => ({
  id: "3-0",
  slot: 0,
  sample: 0,
  guided: false,
  ratio: 0,
  reward: 1,
  outcome: "right",
  advantage: 0.5,
  finish: "stop",
  prefix_tokens: 0,
  completion_tokens: 12,
  matches: true,
  ...values,
});
const wrong = { reward: 0, outcome: "wrong", advantage: -0.5 };
const group: Group = {
  id: "3-0",
  step: 3,
  problem: "p\n1",
  prompt: "2 + 2?",
  answer: "4",
  verdict: "mixed",
  samples: [
    sample(),
    sample({ id: "3-1", sample: 1, ...wrong, finish: "length" }),
    sample({ id: "3-2", slot: 1, guided: true, ratio: 0.5, prefix_tokens: 9, advantage: null }),
  ],
};

it("samples stand by slots, with their success", () => {
  expect(slotsOf(group).map(slotWords)).toEqual(["Slot 0: 1 of 2 right", "Slot 1: 1 of 1 right"]);
  expect(groupFacts(group)).toEqual({ right: "2 of 3 right", reward: "0.67", advantage: "−0.50 to +0.50" });
  expect(groupFacts({ ...group, samples: [sample({ advantage: null })] }).advantage).toBe("none");
});

it("a mark shows sign, end and prefix", () => {
  expect(group.samples.map(markOf)).toEqual([
    { sign: "right", cut: false, ratio: 0 },
    { sign: "wrong", cut: true, ratio: 0 },
    { sign: "right", cut: false, ratio: 0.5 },
  ]);
  expect([markOf(sample({ outcome: "timeout", reward: 0 })).sign, markOf(sample({ reward: 0.5 })).sign]).toEqual([
    "unknown",
    "part",
  ]);
});

it("a sample is read in words", () => {
  expect(describeSample(group.samples[1]!)).toBe(
    "Slot 0, sample 1: wrong, unguided, reward 0.00, advantage −0.50, 12 own tokens, truncated",
  );
  expect(describeSample(group.samples[2]!)).toContain("guided by 50 % of the trace, reward 1.00, not learned from");
  expect(groupsTable([group]).rows[2]!.slice(0, 6)).toEqual([3, "p 1", "3-2", 1, 0, 0.5]);
});

it("the URL's words are the api's", () => {
  const query = new URLSearchParams("step=3&guided=no&min=0.5&matches=a%2B&rollout=3-1");
  expect(askedOf(query)).toEqual({ step: "3", guided: false, min_reward: "0.5", matches: "a+" });
  expect([isFiltered(askedOf(query)), isFiltered({ step: "3", problem: "p" })]).toEqual([true, false]);
});
