import { expect, it } from "vitest";
import { describe, sorted } from "./recipes";

it("says what a recipe does", () => {
  const model = { source: "small_world" };
  expect(
    describe([
      { method: "trapo", model, steps: 100 },
      { method: "grpo", model, steps: 100 },
    ]),
  ).toBe("2 runs: trapo, grpo · small world · 100 steps");
  expect(describe([{ kind: "eval", model: { source: "hub", id: "a/b" } }])).toBe("evaluation · a/b");
});

it("puts a method's recipes with it", () => {
  const names = ["demo", "methods/grpo", "paper/grpo", "paper/other"];
  const { own, of } = sorted(
    names.map((name) => ({ name, specs: [] })),
    ["grpo"],
  );
  expect(own.map((one) => one.name)).toEqual(["demo", "paper/other"]);
  expect(of.get("grpo")!.map((one) => one.name)).toEqual(["methods/grpo", "paper/grpo"]);
});
