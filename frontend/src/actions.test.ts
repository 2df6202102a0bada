import { describe, expect, it } from "vitest";
import { actionsOf, askEach, names, outcome } from "./actions";
import type { Run } from "./types";

const run = (values: Partial<Run>): Run =>
  ({ id: "run_1", name: "", state: "running", desired: "run", archived_at: null, deleted_at: null, ...values }) as Run;

describe("actionsOf", () => {
  it.each([
    [{ state: "running" }, ["pause", "cancel", "clone"]],
    [{ state: "running", desired: "pause" }, ["resume", "cancel", "clone"]],
    [{ state: "running", desired: "cancel" }, ["clone"]],
    [{ state: "paused" }, ["resume", "cancel", "clone", "archive", "delete"]],
    [{ state: "failed" }, ["resume", "clone", "archive", "delete"]],
    [{ state: "cancelled" }, ["retry", "clone", "archive", "delete"]],
    [{ state: "succeeded", archived_at: "x" }, ["clone", "unarchive", "delete"]],
    [{ state: "succeeded", deleted_at: "x" }, ["undelete"]],
  ] as [Partial<Run>, string[]][])("%j: %j", (values, actions) => expect(actionsOf(run(values))).toEqual(actions));
});

describe("askEach", () => {
  it("goes on after a refusal, never with more than three at once", async () => {
    let [now, most] = [0, 0];
    const seen: number[] = [];
    const runs = ["a", "b", "c", "d", "e"].map((name) => run({ id: name, name }));
    const told = await askEach(
      runs,
      async ({ name }) => {
        most = Math.max(most, ++now);
        await Promise.resolve();
        now -= 1;
        if (name === "b" || name === "d") throw new Error("it is running");
      },
      (done) => seen.push(done),
    );
    expect(told.done.map((one) => one.name)).toEqual(["a", "c", "e"]);
    expect([most, seen.at(-1)]).toEqual([3, 5]);
    expect(outcome("archived", told)).toBe("3 archived, 2 could not: b, d (it is running)");
  });
  it("says it shortly when all went well", async () => {
    expect(outcome("archived", await askEach([run({})], async () => {}))).toBe("1 archived.");
  });
});

it("names a few", () => {
  expect(names(["a", "b", "c", "d", "e"].map((name) => run({ name })))).toBe("a, b, c and 2 more");
});
