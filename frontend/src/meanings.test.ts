import { expect, it } from "vitest";
import { FACTS, MEANINGS, OF_GUIDANCE, OF_ROLLOUTS, OF_SCORES } from "./meanings";
import { keysOf, PANELS } from "./panels";

it("every number of the panels and every word that a page explains has a definition", () => {
  const names = [...PANELS.flatMap(keysOf), ...OF_GUIDANCE, ...OF_ROLLOUTS, ...OF_SCORES, "Reward by level"];
  for (const name of names) expect(MEANINGS[name], name).toBeTruthy();
  for (const fact of Object.values(FACTS)) expect(fact).not.toContain("undefined");
});

it("success by level says that its levels are a choice of problems", () => {
  expect(MEANINGS["Reward by level"]).toContain("do not compare as cause and effect");
});
