import { expect, test } from "vitest";
import { clock, localTime } from "../format";
import type { RunEvent } from "../types";
import { askedEvents, KINDS, sentence, stepOf } from "./happenings";

const event = (type: string, data: object): RunEvent => ({
  seq: 1,
  run_id: "r",
  ts: "2026-01-01T00:00:00Z",
  type,
  data: data as RunEvent["data"],
});

test("without a kind what is told of every step is left out", () => {
  expect(askedEvents(new URLSearchParams()).type).not.toContain("step");
  expect(askedEvents(new URLSearchParams("kind=all")).type).toEqual([]);
  expect(askedEvents(new URLSearchParams("kind=step&contains=x"))).toMatchObject({ type: ["step"], contains: "x" });
  expect(askedEvents(new URLSearchParams("kind=none")).type).toContain("message");
});

test("a step and a time to go to, if they are any", () => {
  const asked = askedEvents(new URLSearchParams("step=12&time=2026-01-01T10:00:00Z"));
  expect([asked.up_to_step, asked.up_to]).toEqual([12, "2026-01-01T10:00:00.000Z"]);
  const wrong = askedEvents(new URLSearchParams("step=-1&time=soon"));
  expect([wrong.up_to_step, wrong.up_to]).toEqual([undefined, undefined]);
});

test("the input of a time shows the reader's clock, and the link holds the time itself", () => {
  const iso = "2026-01-01T10:05:00.000Z";
  expect(new Date(localTime(iso)).toISOString()).toBe(iso);
  expect(localTime(null)).toBe("");
  expect(clock(iso, "long")).toMatch(/UTC|GMT/);
});

test("every kind has a sentence, and what it does not have is not said", () => {
  for (const type of KINDS) expect(sentence(event(type, {}))).toBeTypeOf("string");
  expect(sentence(event("ended", { outcome: "failed", step: 3, reason: "out_of_memory" }))).toBe(
    "failed at step 3 · out of memory",
  );
  expect(sentence(event("attempt_started", { attempt: 1, resumed_from_step: -1, total_steps: 9 }))).toBe(
    "attempt 1 from step 0 of 9",
  );
  expect([stepOf(event("step", { step: 4 })), stepOf(event("message", {}))]).toEqual([4, null]);
});
