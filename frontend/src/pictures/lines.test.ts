import { expect, it } from "vitest";
import { belowLog, columnsOf, drawLines, type Line, yRange } from "./lines";
import { svgFile } from "./svg";

const line: Line = { label: "a", color: "run-a", values: [1, 0, -1, 100] };

it("a logarithm leaves gaps at and below zero, and they are counted", () => {
  expect(columnsOf({ lines: [line], log: true })).toEqual([[1, null, null, 100]]);
  expect(belowLog([line])).toBe(2);
  expect(columnsOf({ lines: [line] })).toEqual([[1, 0, -1, 100]]);
});

it("bands stand behind the lines, low before high", () => {
  const band = { low: [0], high: [2] };
  expect(
    columnsOf({
      lines: [
        { ...line, values: [1], band },
        { ...line, values: [3] },
      ],
    }),
  ).toEqual([[1], [3], [0], [2]]);
});

it("the y axis begins at zero, or between round numbers of a logarithm", () => {
  expect(yRange(0.2, 1, null)).toEqual([0, 1.08]);
  expect(yRange(0.2, 0.7, 1)).toEqual([0, 1]);
  expect(yRange(0.03, 40, null, true)[0]).toBeCloseTo(0.02);
  expect(yRange(0.03, 40, null, true)[1]).toBe(50);
  expect(yRange(10, 10, null, true)).toEqual([5, 20]);
  expect(yRange(null, null, null, true)).toEqual([0.1, 1]);
});

it("the drawing has one path for each line and one for each band, and only what is in the window", () => {
  const lines: Line[] = [{ ...line, values: [1, null, 3, 4], band: { low: [0, 0, 2, 3], high: [2, 2, 4, 5] } }];
  const drawing = drawLines({ x: [1, 2, 3, 4], lines, format: String, broken: [2] }, 400, 200, [1, 4]);
  const paths = drawing.marks.filter((mark) => mark.kind === "path");
  expect(paths).toHaveLength(2);
  expect((paths[1] as { d: string }).d.match(/M/g)).toHaveLength(2); // a gap at the null
  expect(drawing.marks.filter((mark) => mark.kind === "line" && mark.stroke === "bad")).toHaveLength(1);
  expect(svgFile("t", [], [drawing], (name) => name, "Arial")).not.toContain("NaN");
});

it("markers of the window are drawn, a restart with its line", () => {
  const markers = [
    { step: 2, kind: "restart" as const },
    { step: 9, kind: "checkpoint" as const },
  ];
  const drawing = drawLines({ x: [1, 4], lines: [], format: String, markers }, 400, 200, [1, 4]);
  expect(drawing.marks.filter((mark) => mark.kind === "path")).toHaveLength(2);
});
