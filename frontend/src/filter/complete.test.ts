import { describe, expect, it } from "vitest";
import { accept, complete } from "./complete";

const seen = { methods: ["trapo", "grpo"], tags: ["baseline", "best"], people: ["alice b"] };
const texts = (text: string, caret = text.length) => complete(text, caret, seen).options.map((option) => option.text);

describe("complete", () => {
  it("offers every key to an empty word", () => {
    expect(texts("")).toContain("status:");
    expect(texts("tag:x ")).toContain("reward>");
  });
  it("offers what begins like the word", () => {
    expect(texts("s")).toEqual(["status:", "score>", "sweep:"]);
    expect(texts("run")).toEqual(["status:running"]);
    expect(texts("tag:b")).toEqual(["tag:baseline", "tag:best"]);
    expect(texts("status:p")).toEqual(["status:paused"]);
    expect(texts("method:")).toEqual(["method:trapo", "method:grpo"]);
    expect(texts("by:")).toEqual(['by:"alice b"']);
    expect(texts("reward>0.")).toEqual([]);
    expect(texts("colour:")).toEqual([]);
  });
  it("offers nothing for what is written out", () => expect(texts("kind:eval")).toEqual([]));
  it("reads the word at the caret, not the last one", () => {
    expect(texts("tag:b status:failed", 5)).toEqual(["tag:baseline", "tag:best"]);
  });
});

describe("accept", () => {
  const take = (text: string, caret = text.length) => {
    const found = complete(text, caret, seen);
    return accept(text, found, found.options[0]!);
  };
  it("a key waits for its value, a value for the next word", () => {
    expect(take("sta")).toEqual({ text: "status:", caret: 7 });
    expect(take("status:r")).toEqual({ text: "status:running ", caret: 15 });
  });
  it("leaves the rest as it is", () => {
    expect(take("tag:ba kind:eval", 6)).toEqual({ text: "tag:baseline kind:eval", caret: 13 });
  });
});
