import { expect, test } from "vitest";
import type { EvaluatedProblem, Score } from "../types";
import { answerIn, answersOf, changeOf, chosenOf, pastOf } from "./items";

const item = (right: boolean[], earlier: number[] = []): EvaluatedProblem => ({
  place: 0,
  problem: "p",
  prompt: "?",
  answer: "4",
  verdict: "mixed",
  right: right.filter(Boolean).length,
  samples: right.length,
  earlier: earlier.map((times, i) => ({ step: 10 * (i + 1), right: times })),
  answers: right.map((yes, sample) => ({
    sample,
    tokens: 5,
    finish: "stop",
    score: yes ? 1 : 0,
    outcome: yes ? "right" : "wrong",
    completion: `so \\boxed{${yes ? 4 : 5}}`,
  })),
});

test("an answer is the last box with all its braces, else the last line", () => {
  expect(answerIn("\\boxed{1} and then \\boxed{\\frac{1}{2}} ok")).toBe("\\frac{1}{2}");
  expect(answerIn("first\nThe answer is 7.\n\n")).toBe("The answer is 7.");
  expect(answerIn("cut in \\boxed{12")).toBe("cut in \\boxed{12");
  expect(answerIn("")).toBe("");
  expect(answerIn("x".repeat(200))).toHaveLength(80);
});

test("equal answers are counted, the most frequent first", () => {
  expect(answersOf(item([false, true, false]))).toEqual([
    { answer: "5", right: false, times: 2 },
    { answer: "4", right: true, times: 1 },
  ]);
});

test("the past ends with now, and the change is since the last", () => {
  const one = item([true, false, true, true], [0, 4]);
  expect(pastOf(one, 30).map((p) => [p.step, p.share])).toEqual([
    [10, 0],
    [20, 1],
    [30, 0.75],
  ]);
  expect(pastOf(one, 30).at(-1)!.words).toBe("3 of 4 at step 30");
  expect([changeOf(one), changeOf(item([true], [0])), changeOf(item([true], [1])), changeOf(item([true]))]).toEqual([
    "worse",
    "better",
    "",
    "",
  ]);
});

test("the evaluation that the URL names, else the newest", () => {
  const scores = [
    { benchmark: "a", step: 10 },
    { benchmark: "b", step: 5 },
    { benchmark: "a", step: 20 },
    { benchmark: "a", step: 20 },
  ] as Score[];
  expect(chosenOf(scores, null, null)).toEqual({ benchmark: "a", step: 20, benchmarks: ["a", "b"], steps: [20, 10] });
  expect(chosenOf(scores, "b", "20")!.step).toBe(5);
  expect(chosenOf(scores, "a", "10")!.step).toBe(10);
  expect(chosenOf([], null, null)).toBeNull();
});
