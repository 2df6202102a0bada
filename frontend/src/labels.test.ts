import { describe, expect, it } from "vitest";
import { changes, merge, readPriority, readTags, wrongTags } from "./labels";

const base = { name: "a", tags: ["x"], notes: "" };

it("tags are parted by commas and spaces, each once", () => {
  expect(readTags(" x, y  z,,x")).toEqual(["x", "y", "z"]);
  expect(readTags("")).toEqual([]);
});

it("says which tag cannot be one", () => {
  expect(wrongTags(["fine", "v1.2_b-3"])).toBe("");
  expect(wrongTags(["fine", "-no"])).toContain("“-no”");
  expect(wrongTags(Array.from({ length: 17 }, (_, i) => `t${i}`))).toContain("at most 16");
});

it("sends only what was changed", () => {
  expect(changes(base, { ...base, tags: ["x"] })).toEqual({});
  expect(changes(base, { ...base, notes: "n" })).toEqual({ notes: "n" });
});

describe("two people at once", () => {
  it("who writes different fields both keep theirs", () => {
    const { merged, both } = merge(base, { ...base, notes: "mine" }, { ...base, name: "b" });
    expect(merged).toEqual({ name: "b", tags: ["x"], notes: "mine" });
    expect(both).toEqual([]);
  });
  it("who writes the same field differently is told", () => {
    const { merged, both } = merge(base, { ...base, notes: "mine" }, { ...base, notes: "theirs" });
    expect([merged.notes, both]).toEqual(["mine", ["notes"]]);
  });
  it("the same words are no conflict", () => {
    expect(merge(base, { ...base, notes: "n" }, { ...base, notes: "n" }).both).toEqual([]);
  });
});

it("reads a priority", () => {
  expect(["5", " -100 ", "−3", "-0"].map(readPriority)).toEqual([5, -100, -3, 0]);
  expect(["", "1.5", "101", "high"].map(readPriority)).toEqual([null, null, null, null]);
});
