import { expect, it } from "vitest";
import { ticks } from "./axis";
import type { HeatData } from "./guidance";
import { cellAt, cellBox, drawHeat, heatLayout } from "./heatmap";
import { LEGEND_SHARES, luminance, rampColor, shareToRamp } from "./ramp";
import { cumulated, STEPS } from "./xaxis";

const data: HeatData = {
  columns: [
    { from: 0, to: 1, total: 8 },
    { from: 1, to: 2, total: 8 },
    { from: 2, to: 3, total: 8 },
  ],
  rows: ["a", "b"].map((label) => ({ label, tick: label, samples: [4, 4, 4], reward: [1, 1, 1] })),
  rowTitle: "level",
};

it("the middle of a drawn cell is that cell", () => {
  const layout = heatLayout(data, 600, 200, null);
  for (const r of [0, 1]) {
    for (const c of [0, 1, 2]) {
      const box = cellBox(layout, data, r, c);
      expect(cellAt(layout, data, box.left + box.width / 2, box.top + box.height / 2)).toEqual([r, c]);
    }
  }
});

it("columns stand where the axis of the lines below has them, and are found there", () => {
  const axis = cumulated("time", { steps: [1, 2, 3], values: [10, 10, 80] });
  const layout = heatLayout(data, 600, 200, null, axis);
  const boxes = [0, 1, 2].map((c) => cellBox(layout, data, 0, c));
  expect(boxes[1]!.width).toBeGreaterThan(3 * boxes[0]!.width);
  expect(boxes.map((box) => cellAt(layout, data, box.left + 2, box.top + 2))).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
  ]);
  const said = drawHeat(layout, data, false, []).marks.flatMap((mark) => (mark.kind === "text" ? [mark.text] : []));
  expect(said).toContain("time trained");
  expect(said).toContain("1 min");
});

it("row 0 is at the bottom and nothing is outside of the plot", () => {
  const layout = heatLayout(data, 600, 200, null);
  expect(cellBox(layout, data, 0, 0).top).toBeGreaterThan(cellBox(layout, data, 1, 0).top);
  expect(cellAt(layout, data, 5, 100)).toBeNull();
  expect(cellAt(layout, data, 300, 199)).toBeNull();
});

it.each([true, false])("more is always further from the paper (dark: %s)", (dark) => {
  const light = LEGEND_SHARES.map((s) => luminance(rampColor(shareToRamp(s), dark)));
  const sorted = light.toSorted((a, b) => (dark ? a - b : b - a));
  expect(light).toEqual(sorted);
  expect(new Set(light).size).toBe(light.length);
});

it("ticks are round, inside, and whole where steps are counted", () => {
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, expect.closeTo(0.6), 0.8, 1]);
  expect(ticks(0.5, 3.5, 10, STEPS.steps)).toEqual([1, 2, 3]);
  expect(ticks(0.5, 300.5, 4, STEPS.steps)).toEqual([100, 200, 300]);
  expect(ticks(1, 1, 5)).toEqual([1]);
});
