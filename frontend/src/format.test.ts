import { expect, it } from "vitest";
import { ago, duration } from "./format";

it.each([
  [59.6, "1 min"],
  [61, "1 min 1 s"],
  [599.4, "9 min 59 s"],
  [600, "10 min"],
  [3590, "1 h"],
  [3700, "1 h 2 min"],
  [7180, "2 h"],
  [86_390, "1 d"],
  [90_000, "1 d 1 h"],
  [172_799, "2 d"],
  [null, "–"],
])("no unit of a duration is ever full: %s s is %s", (seconds, said) => {
  expect(duration(seconds)).toBe(said);
});

it.each([
  [44, "just now"],
  [45, "1 min ago"],
  [3590, "1 h ago"],
  [86_300, "1 d ago"],
])("nor is that of an age: %s s is %s", (seconds, said) => {
  expect(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:00:00Z") + seconds * 1000)).toBe(said);
});
