import { expect, it } from "vitest";
import type { RunEvent } from "./types";
import { joined } from "./useEvents";

const events = (from: number, to: number): RunEvent[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i }) as RunEvent);

it("what is new comes on top, and the page does not grow without end", () => {
  const held = { events: events(1, 2000).toReversed(), older: false, newer: false };
  const grown = joined(held, "newer", events(2001, 2200), true);
  expect([grown.events[0]!.seq, grown.events.at(-1)!.seq, grown.events.length]).toEqual([2200, 201, 2000]);
  expect([grown.newer, grown.older]).toEqual([true, true]);
});

it("who reads far back lets go of the newest, and is told that they are there", () => {
  const held = { events: events(501, 2400).toReversed(), older: true, newer: false };
  const back = joined(held, "older", events(301, 500).toReversed(), true);
  expect([back.events[0]!.seq, back.events.at(-1)!.seq]).toEqual([2300, 301]);
  expect([back.newer, back.older]).toEqual([true, true]);
});
