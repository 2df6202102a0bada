import { expect, test } from "vitest";
import { wrongWithAlias } from "./aliases";

test("a name that the api takes is right, others say why not", () => {
  for (const name of ["best", "7b", "a.b_c-d", "x".repeat(64)]) expect(wrongWithAlias(name)).toBe("");
  expect(wrongWithAlias("")).toMatch("needed");
  expect(wrongWithAlias("-a")).toMatch("begins");
  expect(wrongWithAlias("a/b")).toMatch("made of");
  expect(wrongWithAlias("x".repeat(65))).toMatch("64");
});
