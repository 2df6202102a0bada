import { expect, it } from "vitest";
import { ago, bytes, decimal, duration, levelName, num, percent } from "../format";
import { sparkPath } from "./sparkline";
import { cellText, toCsv } from "./table";
import { toYaml } from "./yaml";

it("numbers that JSON lacks are read back", () => {
  expect(["NaN", "Infinity", "-Infinity", 0.5, "0.5", null].map(num)).toEqual([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0.5,
    Number.NaN,
    Number.NaN,
  ]);
});

it("numbers are written for people", () => {
  expect([percent(0.125), percent(null), percent(Number.NaN), decimal(0.5)]).toEqual(["12.5 %", "–", "NaN", "0.500"]);
  expect([duration(9), duration(80), duration(3000), duration(5400), duration(200_000), duration(null)]).toEqual([
    "9 s",
    "1 min 20 s",
    "50 min",
    "1 h 30 min",
    "2 d 8 h",
    "–",
  ]);
  expect([bytes(12), bytes(1500), bytes(123_456_789)]).toEqual(["12 B", "1.5 kB", "123 MB"]);
  expect([levelName(0), levelName(0.2), levelName(1)]).toEqual(["no prefix", "20 % of trace", "whole trace"]);
  expect(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T02:10:00Z"))).toBe("2 h ago");
});

it("CSV quotes what needs it and never starts a formula", () => {
  expect(
    toCsv({
      head: ["a", "b"],
      rows: [
        ['x, "y"', 1.25],
        ["=1+1", null],
      ],
    }),
  ).toBe('a,b\r\n"x, ""y""",1.25\r\n\'=1+1,\r\n');
});

it("a table shows four digits", () => {
  expect([0.123456, 12, null, "x", Number.NaN].map(cellText)).toEqual(["0.1235", "12", "–", "x", "NaN"]);
});

it("a spec reads like YAML", () => {
  const spec = {
    method: "trapo",
    guidance: { slots: [{ n: 4, when: "never" }] },
    tags: ["a", "b c"],
    odd: "yes",
    none: null,
    empty: {},
    list: [],
  };
  expect(toYaml(spec)).toBe(
    [
      "method: trapo",
      "guidance:",
      "  slots:",
      "    - n: 4",
      "      when: never",
      "tags: [a, b c]",
      'odd: "yes"',
      "none: null",
      "empty: {}",
      "list: []",
    ].join("\n"),
  );
});

it("a sparkline leaves a gap where there is no value", () => {
  expect(sparkPath([0, null, 1, 1], 100, 20).match(/M/g)).toHaveLength(2);
  expect(sparkPath([0.5], 100, 20)).toBe("");
});
