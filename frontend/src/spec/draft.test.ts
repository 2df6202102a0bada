import { describe, expect, it } from "vitest";
import { brief, changesOf, type Json, merge, overridesOf, put } from "./draft";

const BASE: Json = {
  steps: 500,
  optimizer: { lr: 5e-6, betas: [0.9, 0.999] },
  guidance: { slots: [{ n: 4 }, { n: 2, ratio: 0.2 }], cut: "floor" },
  model: { source: "folder", path: "base" },
  refill: null,
};

describe("a draft over a base", () => {
  it("says only what differs", () => {
    const draft = put({}, BASE, ["optimizer", "lr"], 1e-4);
    expect(draft).toEqual({ optimizer: { lr: 1e-4 } });
    expect(put(draft, BASE, ["optimizer", "lr"], 5e-6)).toEqual({});
    expect(put(draft, BASE, ["optimizer", "lr"], undefined)).toEqual({});
  });
  it("takes a list over whole when a part of it changes", () => {
    const draft = put({}, BASE, ["guidance", "slots", 1, "ratio"], 0.5);
    expect(draft).toEqual({ guidance: { slots: [{ n: 4 }, { n: 2, ratio: 0.5 }] } });
    expect(BASE.guidance).toEqual({ slots: [{ n: 4 }, { n: 2, ratio: 0.2 }], cut: "floor" });
    expect(put(draft, BASE, ["guidance", "slots", 1, "ratio"], undefined)).toEqual({
      guidance: { slots: [{ n: 4 }, { n: 2 }] },
    });
  });
  it("keeps an object that is said by being there", () => {
    const draft = put({}, BASE, ["refill"], {});
    expect(draft).toEqual({ refill: {} });
    const more = put(draft, BASE, ["refill", "max_extra_share"], 2);
    expect(put(more, BASE, ["refill", "max_extra_share"], undefined)).toEqual({ refill: {} });
    expect(put(more, BASE, ["refill"], null)).toEqual({});
  });
  it("replaces what is of another kind, and mixes in what is of the same", () => {
    expect(merge(BASE, { model: { source: "tiny" } })).toMatchObject({ model: { source: "tiny" } });
    expect((merge(BASE, { model: { source: "tiny" } }) as Json).model).toEqual({ source: "tiny" });
    expect((merge(BASE, { model: { path: "other" } }) as Json).model).toEqual({ source: "folder", path: "other" });
  });
});

describe("differences", () => {
  const draft: Json = {
    steps: 500,
    optimizer: { lr: 1e-4 },
    guidance: { slots: [{ n: 8 }] },
    model: { source: "tiny" },
    refill: { max_extra_share: 2 },
  };
  it("names each by its path, lists and other kinds whole", () => {
    expect(changesOf(BASE, draft).map((change) => change.path.join("."))).toEqual([
      "optimizer.lr",
      "guidance.slots",
      "model",
      "refill",
    ]);
    expect(overridesOf(BASE, draft)).toEqual({
      "optimizer.lr": 1e-4,
      "guidance.slots": [{ n: 8 }],
      model: { source: "tiny" },
      refill: { max_extra_share: 2 },
    });
  });
  it("does not care for the order of keys", () => {
    expect(changesOf(BASE, { model: { path: "base", source: "folder" } })).toEqual([]);
  });
  it("are told in few words", () => {
    expect(brief(null)).toBe("none");
    expect(brief([1, 2])).toBe("[1,2]");
    expect(brief("x".repeat(99), 10)).toHaveLength(10);
  });
});
