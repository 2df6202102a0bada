import { expect, it } from "vitest";
import { readZoom, sayZoom } from "./cursor";

it("a window goes into the URL and comes back", () => {
  expect(sayZoom(null)).toBeNull();
  expect(sayZoom([10, 20])).toBe("10..20");
  expect(sayZoom([1234.5678, 99_000.4])).toBe("1235..99000");
  expect(sayZoom([0.123456, 2.5])).toBe("0.123..2.5");
  expect(readZoom("10..20.5")).toEqual([10, 20.5]);
  expect(readZoom(sayZoom([1e6, 1e9]))).toEqual([1e6, 1e9]);
});

it("what is no window shows all", () => {
  for (const word of [null, "", "..", "5", "5..", "..5", "20..10", "7..7", "a..b", "1..2..3", "0..Infinity"])
    expect(readZoom(word)).toBeNull();
});
