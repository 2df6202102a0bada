import { describe, expect, it } from "vitest";
import type { RunDetail } from "../../types";
import { beginningOf } from "./beginning";

const known = {
  recipes: [{ name: "demo", specs: [{ method: "trapo" }, { method: "grpo" }] }],
  methods: [{ name: "grpo", summary: "", paper: "", choices: "", values: {} }],
  clone: null,
};
const asked = (text: string, clone: RunDetail | null = null) =>
  beginningOf({ ...known, clone }, new URLSearchParams(text));

describe("the beginning of a form", () => {
  it("is chosen by the address", () => {
    expect(asked("")).toBeNull();
    expect(asked("recipe=demo")!.drafts).toHaveLength(2);
    expect(asked("method=grpo")!.drafts).toEqual([{ method: "grpo" }]);
    expect(asked("kind=eval")!.drafts).toEqual([{ kind: "eval" }]);
  });
  it("says what is not there", () => {
    expect(() => asked("recipe=none")).toThrow("no recipe “none”");
    expect(() => asked("method=none")).toThrow("no method “none”");
  });
  it("is another run, perhaps with the weights of a checkpoint", () => {
    const run = { id: "run_1", name: "one", kind: "train", spec: { steps: 3 } } as unknown as RunDetail;
    expect(asked("clone=run_1&from_checkpoint=20", run)).toMatchObject({
      key: "clone:run_1:20",
      drafts: [{}],
      clone: { fromCheckpoint: 20 },
    });
    expect(asked("clone=run_1&from_checkpoint=x", run)!.clone!.fromCheckpoint).toBeNull();
  });
});
