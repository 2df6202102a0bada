import { describe, expect, it } from "vitest";
import type { TrustRegion } from "../types";
import {
  describeTrust,
  drawTrust,
  placeName,
  pToX,
  shareBelow,
  summarizeTrust,
  totals,
  trustCell,
  trustLayout,
  trustTable,
} from "./trust";

const edges = Array.from({ length: 25 }, (_, i) => 10 ** (-6 + i / 4));
const row = (filled: Record<number, number>): number[] => Array.from({ length: 24 }, (_, c) => filled[c] ?? 0);
const REGION: TrustRegion = {
  alpha: 0.1,
  from_step: 1,
  to_step: 800,
  steps: 400,
  steps_told: 800,
  edges,
  first_places: [1, 2, 4],
  counts: [row({ 0: 10, 23: 30 }), row({ 19: 5, 20: 15 }), row({})],
  inside: [30, 15, 0],
};

it("adds places up and knows the share below alpha", () => {
  expect(totals(REGION)[23]).toBe(30);
  expect(shareBelow(REGION, 0)).toBeCloseTo(0.25);
  expect(shareBelow(REGION)).toBeCloseTo(15 / 60);
  expect(shareBelow(REGION, 2)).toBeNaN();
});

it("names places by their powers of two", () => {
  expect([0, 1, 2].map((r) => placeName(REGION, r))).toEqual(["token 1", "tokens 2–3", "tokens 4–7"]);
});

describe("the drawing", () => {
  it.each([300, 700, 1180])("stays inside its width at %i px", (width) => {
    for (const mark of drawTrust(REGION, width, [0, 3]).marks) {
      if (mark.kind === "rect") expect(mark.x + mark.w).toBeLessThanOrEqual(width + 0.01);
      if (mark.kind === "text" && mark.anchor === "start") expect(mark.x).toBeLessThan(width);
    }
  });

  it("gives what is below alpha the other colour, on both sides of the line", () => {
    const l = trustLayout(900);
    const edge = pToX(l, REGION, 0.1);
    for (const mark of drawTrust(REGION, 900).marks) {
      if (mark.kind !== "rect" || mark.x >= l.right) continue;
      if (mark.fill === "run-b") expect(mark.x + mark.w).toBeLessThanOrEqual(edge + 0.01);
      if (mark.fill === "run-a") expect(mark.x).toBeGreaterThanOrEqual(edge - 0.01);
    }
  });

  it("finds the cell under a point where it drew it", () => {
    const l = trustLayout(900);
    const each = l.width / 24;
    expect(trustCell(l, REGION, l.left + each * 19.5, l.rowsTop + l.rowHeight * 1.5)).toEqual([1, 19]);
    expect(trustCell(l, REGION, l.left + 1, l.top + 5)).toEqual([-1, 0]);
    expect(trustCell(l, REGION, l.left - 1, l.top + 5)).toBeNull();
    expect(trustCell(l, REGION, l.left + 1, l.rowsTop + 10 * l.rowHeight)).toBeNull();
  });
});

it("reads a cell with its exact numbers and its weight", () => {
  expect(describeTrust(REGION, [0, 23])).toBe("Token 1, p 0.56 to 1: 75.0 % (30 of 40 tokens), full weight");
  expect(describeTrust(REGION, [-1, 0])).toContain(
    "All places, p below 1.8e-6: 16.7 % (10 of 60 tokens), weight at most",
  );
  expect(describeTrust(REGION, [1, 19])).toContain("weight at most 1");
  expect(describeTrust(REGION, [9, 0])).toBe("");
});

it("says on what it rests", () => {
  expect(summarizeTrust(REGION)).toBe(
    "25.0 % of the expert's tokens lie below α = 0.1 and are held back. It rests on 60 tokens of steps 1–800, 400 of 800 evenly spread.",
  );
  expect(summarizeTrust({ ...REGION, alpha: null, counts: [] })).toContain("No expert token");
});

it("the table has every bin of every row", () => {
  expect(trustTable(REGION).rows).toHaveLength(72);
});
