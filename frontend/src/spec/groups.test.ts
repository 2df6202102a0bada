import { expect, it } from "vitest";
import { groupsOf } from "./groups";
import { type FieldOf, readSchema, type Schema } from "./schema";

const text: Schema = { type: "string" };
const SCHEMA: Schema = {
  type: "object",
  properties: {
    evaluation: { type: "object", properties: { benchmarks: { type: "array", items: text }, at_start: text } },
    steps: text,
    name: text,
    kind: text,
    optimizer: text,
    brand_new: text,
  },
};

it("puts what is asked first in front, the rest into groups, and nothing aside", () => {
  const { first, groups } = groupsOf(readSchema(SCHEMA) as FieldOf<"object">);
  expect(first.map(({ path }) => path.join("."))).toEqual(["name", "steps", "evaluation.benchmarks"]);
  expect(groups.map(({ title, fields }) => [title, fields.map(({ path }) => path.join("."))])).toEqual([
    ["Optimizer", ["optimizer"]],
    ["Evaluation and checkpoints", ["evaluation"]],
    ["More", ["brand_new"]],
  ]);
  expect(groups[1]!.fields[0]!.field).toMatchObject({ fields: [{ name: "at_start" }] });
});
