import { describe, expect, it } from "vitest";
import { rowByKey, scrollBy, span, windowOf } from "./rows";

describe("windowOf", () => {
  it("is what one sees and a few more", () => {
    expect(windowOf(1000, 500, 50, 10_000, 2)).toEqual([18, 32]);
    expect(windowOf(1010, 500, 50, 10_000, 0)).toEqual([20, 31]);
  });
  it("stays within the list", () => {
    expect(windowOf(-300, 500, 50, 10_000, 2)).toEqual([0, 6]);
    expect(windowOf(0, 500, 50, 3)).toEqual([0, 3]);
    expect(windowOf(499_600, 500, 50, 10_000)).toEqual([9984, 10_000]);
    expect(windowOf(9_999_999, 500, 50, 10)).toEqual([10, 10]);
    expect(windowOf(0, 500, 50, 0)).toEqual([0, 0]);
    expect(windowOf(-9_999_999, 500, 50, 10)).toEqual([0, 0]);
  });
});

describe("rowByKey", () => {
  it("moves by rows, pages, and to the ends", () => {
    expect(rowByKey("ArrowDown", 3, 100, 10)).toBe(4);
    expect(rowByKey("ArrowUp", 0, 100, 10)).toBe(0);
    expect(rowByKey("PageDown", 95, 100, 10)).toBe(99);
    expect(rowByKey("PageUp", 25, 100, 10)).toBe(15);
    expect(rowByKey("Home", 50, 100, 10)).toBe(0);
    expect(rowByKey("End", 50, 100, 10)).toBe(99);
  });
  it("leaves other keys alone, and an empty list", () => {
    expect(rowByKey("a", 1, 100, 10)).toBeNull();
    expect(rowByKey("End", 0, 0, 10)).toBeNull();
  });
});

describe("scrollBy", () => {
  it("moves no further than needed", () => {
    expect(scrollBy(100, 150, 50, 500)).toBe(0);
    expect(scrollBy(20, 70, 50, 500)).toBe(-30);
    expect(scrollBy(480, 530, 50, 500)).toBe(30);
  });
  it("shows the beginning of what is higher than the screen", () => expect(scrollBy(100, 900, 50, 500)).toBe(50));
});

it("a span reads both ways", () => {
  expect(span(["a", "b", "c", "d"], 2, 1)).toEqual(["b", "c"]);
  expect(span(["a", "b", "c", "d"], 1, 1)).toEqual(["b"]);
});
