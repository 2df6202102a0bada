import { describe, expect, it } from "vitest";
import type { Run } from "../types";
import { parse } from "./filter";
import { matches } from "./matches";

const filter = (text: string) => {
  const { filter, problems } = parse(text);
  expect(problems).toEqual([]);
  return filter;
};
const problem = (text: string) => {
  const { problems } = parse(text);
  expect(problems).toHaveLength(1);
  const { start, end, message, instead } = problems[0]!;
  return { at: text.slice(start, end), message, instead };
};

describe("parse", () => {
  it("reads every word", () => {
    expect(
      filter('status:running,paused method:trapo tag:x tag:y name:"two words" by:alice kind:eval sweep:s1'),
    ).toEqual({
      state: ["running", "paused"],
      tag: ["x", "y"],
      method: "trapo",
      name: "two words",
      created_by: "alice",
      kind: "eval",
      sweep: "s1",
    });
    expect(filter("is:archived is:deleted")).toMatchObject({ archived: true, deleted: true });
  });
  it("nothing is everything", () => {
    expect(filter("  ")).toEqual({ state: [], tag: [] });
    expect(filter('""')).toEqual({ state: [], tag: [] });
  });
  it("bare words are the name, in their order, with and without quotes", () => {
    expect(filter('chains status:failed "on  cpu"').name).toBe("chains on  cpu");
    expect(filter('"a:b"').name).toBe("a:b");
    expect(filter('"open').name).toBe("open");
  });
  it("takes what a person writes by habit", () => {
    expect(filter("STATE:Running").state).toEqual(["running"]);
    expect(filter("score>=60%").min_score).toBeCloseTo(0.6);
  });
  it("bounds are strict unless they say otherwise", () => {
    const strict = filter("reward>0.6 score<0");
    expect(strict.min_reward).toBeGreaterThan(0.6);
    expect(strict.min_reward).toBeLessThan(0.6 + 1e-12);
    expect(strict.max_score).toBeLessThan(0);
    expect(filter("reward>=0.6 reward<=1")).toMatchObject({ min_reward: 0.6, max_reward: 1 });
    expect(filter("reward>-0.5").min_reward).toBeGreaterThan(-0.5);
    expect(filter("reward>0.1 reward>=0.3").min_reward).toBe(0.3);
  });
  it("points at the word and says what to write", () => {
    expect(problem("tag:x stauts:running")).toEqual({
      at: "stauts:running",
      message: "There is no word “stauts:”. Did you mean “status:”?",
      instead: "status:running",
    });
    expect(problem("status:runing")).toMatchObject({ at: "status:runing", instead: "status:running" });
    expect(problem("status:green").message).toContain("It is one of queued, starting");
    expect(problem("colour:red")).toMatchObject({ instead: '"colour:red"' });
    expect(problem("reward:0.6")).toMatchObject({ instead: "reward>0.6" });
    expect(problem("reward>much").message).toContain("not a number");
    expect(problem("reward>%").message).toContain("not a number");
    expect(problem("method>trapo")).toMatchObject({ instead: "method:trapo" });
    expect(problem("tag:").message).toContain("needs a value");
    expect(problem("method:trapo method:grpo")).toMatchObject({ at: "method:grpo", instead: "" });
    expect(problem("x".repeat(121)).message).toContain("120");
  });
  it("tells all problems, and reads the rest", () => {
    const { filter, problems } = parse("kind:x tag:a is:gone");
    expect(problems).toHaveLength(2);
    expect(filter.tag).toEqual(["a"]);
  });
});

describe("matches", () => {
  const run = {
    name: "TRAPO on chains",
    state: "running",
    kind: "train",
    method: "trapo",
    created_by: "alice",
    sweep_id: null,
    tags: ["a", "b"],
    archived_at: null,
    deleted_at: null,
    summary: { reward_unguided: 0.5, score: null },
  } as unknown as Run;
  it.each([
    ["", true],
    ["trapo ON", true],
    ["status:running,queued", true],
    ["status:queued", false],
    ["tag:a tag:b", true],
    ["tag:a tag:c", false],
    ["reward>0.5", false],
    ["reward>=0.5 reward<0.6", true],
    ["score>0", false],
    ["is:archived", false],
    ["is:deleted", false],
    ["by:alice method:trapo kind:train", true],
    ["sweep:s1", false],
  ])("%s: %s", (text, expected) => expect(matches(run, filter(text))).toBe(expected));
  it("a deleted run is found whether or not it was archived before", () => {
    const gone = { ...run, archived_at: "x", deleted_at: "x" } as Run;
    expect(matches(gone, filter("is:deleted"))).toBe(true);
    expect(matches(gone, filter("is:archived"))).toBe(false);
  });
});
