import { beforeEach, describe, expect, it } from "vitest";
import { nearest } from "./cursor";
import { Curves } from "./curves";
import { applyToData, applyToRun, type RunData } from "./live";
import type { RunDetail, RunEvent } from "./types";

let held: RunData;
let seq = 0;

const event = (type: string, data: Record<string, unknown>): RunEvent => ({
  seq: ++seq,
  run_id: "run_1",
  ts: "2026-01-01T00:00:00Z",
  type,
  data,
});
const step = (at: number, reward: number | string): RunEvent =>
  event("step", { step: at, seconds: 2, metrics: { "reward/unguided": reward } });
const guidance = (at: number): RunEvent =>
  event("guidance", {
    step: at,
    slots: [{ slot: 0, ratio: 0, guided: 0, guided_reward: 0, unguided: 4, unguided_reward: 1 }],
    prefix_lengths: { bin_tokens: 8, counts: [4] },
  });
const take = (...events: RunEvent[]): void => {
  for (const e of events) held = applyToData(held, e);
};

beforeEach(() => {
  const detail = {
    id: "run_1",
    state: "running",
    desired: "run",
    step: 0,
    total_steps: 10,
    attempts: 1,
    progress: null,
    reason: null,
    message: "",
  };
  held = {
    detail: detail as unknown as RunDetail,
    curves: new Curves("run_1"),
    guidance: { steps: [], perBucket: 1, inLast: 1 },
    scores: [],
    checkpoints: [],
    resumedAt: [],
  };
  held.curves.raw.set("reward/unguided", { steps: [], values: [] });
});

describe("steps", () => {
  it("of a series that no picture shows are not held: its past would be missing", () => {
    take(event("step", { step: 1, seconds: 2, metrics: { "policy/loss": 1 } }));
    expect(held.curves.raw.has("policy/loss")).toBe(false);
  });

  it("are appended to columns, and NaN is a value", () => {
    take(step(1, 0.25), step(2, "NaN"));
    expect(held.curves.raw.get("reward/unguided")).toEqual({ steps: [1, 2], values: [0.25, Number.NaN] });
    expect(held.detail.progress).toMatchObject({ stage: "training", done: 2, total: 10 });
  });

  it("that we have already are not taken twice", () => {
    take(step(1, 0.25), step(1, 0.25));
    expect(held.curves.raw.get("reward/unguided")!.steps).toEqual([1]);
  });
});

it("guidance fills up the last bucket before it opens another", () => {
  held.guidance = { steps: [], perBucket: 2, inLast: 2 };
  take(guidance(1), guidance(2), guidance(3));
  expect(held.guidance.steps.map((g) => [g.step, g.prefix_lengths.counts[0]])).toEqual([
    [2, 8],
    [3, 4],
  ]);
});

it("a resumed attempt voids what was written after the step it starts from", () => {
  take(step(1, 0.1), step(2, 0.2), step(3, 0.3), guidance(1), guidance(3));
  take(
    event("score", { step: 0, benchmark: "b", metric: "avg@1" }),
    event("score", { step: 3, benchmark: "b", metric: "avg@1" }),
  );
  take(event("attempt_started", { attempt: 2, resumed_from_step: 2, total_steps: 10 }));
  expect(held.curves.raw.get("reward/unguided")!.steps).toEqual([1, 2]);
  expect(held.guidance.steps.map((g) => g.step)).toEqual([1]);
  expect(held.scores.map((s) => s.step)).toEqual([0]);
  expect(held.resumedAt).toEqual([2]);
  expect(held.detail.step).toBe(2);
  take(step(3, 0.9));
  expect(held.curves.raw.get("reward/unguided")!.values).toEqual([0.1, 0.2, 0.9]);
});

it("what is told again of what was read changes nothing", () => {
  const told = [
    event("score", { step: 0, benchmark: "b", metric: "avg@1" }),
    event("attempt_started", { attempt: 2, resumed_from_step: 1, total_steps: 10 }),
    event("checkpoint", { step: 1 }),
    guidance(2),
    step(2, 0.2),
    event("score", { step: 2, benchmark: "b", metric: "avg@1" }),
    event("score", { step: 2, benchmark: "c", metric: "avg@1" }),
  ];
  take(...told);
  const once = structuredClone({ ...held, curves: held.curves.raw });
  take(...told);
  expect({ ...held, curves: held.curves.raw }).toEqual(once);
});

it("the first attempt is no resumption", () => {
  take(event("attempt_started", { attempt: 1, resumed_from_step: -1, total_steps: 10 }));
  expect(held.resumedAt).toEqual([]);
});

it("a state comes with its reason, and an unknown event changes nothing", () => {
  const failed = applyToRun(
    held.detail,
    event("run_state", { state: "failed", reason: "nan_loss", message: "m", desired: "run" }),
  );
  expect(failed).toMatchObject({ state: "failed", reason: "nan_loss", message: "m" });
  expect(applyToRun(failed, event("something new", {}))).toBe(failed);
});

it("the nearest step is found", () => {
  expect([0, 14, 15, 16, 99].map((s) => nearest([1, 10, 20], s))).toEqual([0, 1, 1, 2, 2]);
  expect(nearest([], 5)).toBe(-1);
});

describe("what people change", () => {
  it("shows other names, tags and the beginning of notes", () => {
    take(event("run_changed", { name: "b", tags: ["x"], notes: `${"é".repeat(199)}ab` }));
    expect(held.detail).toMatchObject({ name: "b", tags: ["x"], notes_excerpt: `${"é".repeat(199)}a` });
  });
  it("knows what was put away and had back", () => {
    take(event("run_archived", { state: "succeeded" }), event("run_deleted", {}));
    expect(held.detail).toMatchObject({ archived_at: "2026-01-01T00:00:00Z", deleted_at: "2026-01-01T00:00:00Z" });
    take(event("run_unarchived", {}), event("run_undeleted", {}));
    expect(held.detail).toMatchObject({ archived_at: null, deleted_at: null });
  });
});

it("guidance that grows for days is held in wider buckets, and no sample is lost", () => {
  held.guidance = { steps: [], perBucket: 1, inLast: 1 };
  for (let at = 1; at <= 1205; at += 1) take(guidance(at));
  const { steps, perBucket } = held.guidance;
  expect(perBucket).toBe(2);
  expect(steps.reduce((sum, g) => sum + g.prefix_lengths.counts[0]!, 0)).toBe(4 * 1205);
});

it("an attempt that begins again from nothing has resumed nowhere", () => {
  take(step(1, 0.25), event("attempt_started", { attempt: 2, resumed_from_step: -1, total_steps: 10 }));
  expect(held.resumedAt).toEqual([]);
  expect(held.curves.raw.get("reward/unguided")!.steps).toEqual([]);
});
