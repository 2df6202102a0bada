import { expect, it } from "vitest";
import { kindsOf, MARKERS, type Marker, placed, sayMarkers, shapeOf } from "./markers";

const markers: Marker[] = [
  { step: 10, kind: "evaluation" },
  { step: 10, kind: "checkpoint" },
  { step: 12, kind: "checkpoint" },
  { step: 30, kind: "restart" },
];

it("every kind has a shape of its own", () => {
  const shapes = Object.keys(MARKERS).map((kind) => shapeOf(kind as Marker["kind"], 5, 5));
  expect(new Set(shapes).size).toBe(shapes.length);
});

it("a reading says what happened in the steps of its bucket", () => {
  expect(sayMarkers(markers, [5, 15, 30], 1)).toBe(" · checkpoint saved (2), evaluated");
  expect(sayMarkers(markers, [5, 15, 30], 2)).toBe(" · resumed from here");
  expect(sayMarkers(markers, [5, 15, 30], 0)).toBe("");
});

it("shapes of a kind that would overlap are drawn once, those of another kind stay", () => {
  expect(placed(markers, (step) => step).map(([m]) => [m.step, m.kind])).toEqual([
    [10, "evaluation"],
    [10, "checkpoint"],
    [30, "restart"],
  ]);
});

it("the legend names the kinds that are there, in one order", () => {
  expect(kindsOf(markers)).toEqual(["checkpoint", "evaluation", "restart"]);
});
