import { describe, expect, it } from "vitest";
import { type FieldOf, readSchema } from "./schema";
import { fieldAt, firstPoint, pathsOf, placed, readSweep, readValue, splitValues } from "./sweep";

const root = readSchema({
  type: "object",
  properties: {
    kind: { const: "train" },
    method: { type: "string", default: "trapo" },
    seed: { type: "integer", default: 0 },
    optimizer: {
      type: "object",
      properties: {
        lr: { type: "number", exclusiveMinimum: 0 },
        betas: { type: "array", items: { type: "number" } },
        clip: { anyOf: [{ type: "number" }, { type: "null" }], default: null },
      },
    },
    slots: { type: "array", items: { type: "object", properties: { ratio: { type: "number" } } } },
    model: {
      oneOf: [
        { type: "object", properties: { source: { const: "folder" }, path: { type: "string" } } },
        { type: "object", properties: { source: { const: "tiny" } } },
      ],
    },
  },
}) as FieldOf<"object">;
const errorsOf = (path: string, values: string) => readSweep([{ path, values }], "", root).errors;

describe("a sweep", () => {
  it("is a run for every combination and every seed", () => {
    const axes = [
      { path: "optimizer.lr", values: "1e-5, 3e-5" },
      { path: " method ", values: "trapo,grpo,sft" },
    ];
    expect(readSweep(axes, "0-1", root)).toEqual({
      matrix: { "optimizer.lr": [1e-5, 3e-5], method: ["trapo", "grpo", "sft"] },
      ...{ seeds: [0, 1], runs: 12, errors: [] },
    });
    expect(readSweep([], "", root).runs).toBe(1);
    expect(readSweep([], "0-9", root).runs).toBe(10);
  });
  it("says at its place what is missing", () => {
    expect(errorsOf("", "1")).toEqual([{ pointer: "/sweep/1", message: "Which field?" }]);
    expect(errorsOf("optimizer.lr", " , ")[0]!.message).toBe("Which values?");
    expect(errorsOf("optimizer.lr", "1e-5, 0.00001")[0]!.message).toContain("twice");
    expect(errorsOf("seed", "1, 2")[0]!.message).toContain("of their own");
    const twice = [
      { path: "method", values: "a" },
      { path: "method", values: "b" },
    ];
    expect(readSweep(twice, "x", root).errors.map((e) => e.pointer)).toEqual(["/sweep/2", "/sweep/seeds"]);
    const many = Array.from({ length: 52 }, (_, i) => i + 1).join();
    expect(readSweep([{ path: "optimizer.lr", values: many }], "0-4", root).errors[0]).toMatchObject({
      pointer: "/sweep",
      message: expect.stringContaining("260 runs"),
    });
  });
  it("begins with its first values, and takes over a list that it changes within", () => {
    const base = { method: "trapo", slots: [{ ratio: 0 }, { ratio: 0.5 }] };
    expect(firstPoint({ steps: 3 }, base, { method: ["grpo", "trapo"], "slots.1.ratio": [0.2, 0.3] })).toEqual({
      ...{ steps: 3, method: "grpo" },
      slots: [{ ratio: 0 }, { ratio: 0.2 }],
    });
  });
});

it("values are parted by commas, and lists stand in brackets", () => {
  expect(splitValues('1, [2,3] ,"a, b", {"x": 1, "y": 2},')).toEqual(["1", "[2,3]", '"a, b"', '{"x": 1, "y": 2}']);
  const of = (path: string, text: string) => readValue(text, fieldAt(root, path));
  expect(of("optimizer.lr", "1e-4")).toBe(1e-4);
  expect(of("optimizer.lr", "fast")).toBe("fast");
  expect(of("optimizer.clip", "none")).toBeNull();
  expect(of("method", "7")).toBe("7");
  expect(of("method", '"a b"')).toBe("a b");
  expect(of("optimizer.betas", "[0.9, 0.99]")).toEqual([0.9, 0.99]);
  expect(of("no.such", "[a, true]")).toEqual(["a", true]);
});

it("fields are found by path, through lists and unions, and those with one value are offered", () => {
  expect(fieldAt(root, "slots.3.ratio")?.shape).toBe("number");
  expect(fieldAt(root, "model.path")?.shape).toBe("text");
  expect(fieldAt(root, "slots.x.ratio")).toBeNull();
  expect(pathsOf(root)).toEqual(["method", "optimizer.lr", "optimizer.betas", "optimizer.clip", "model.path"]);
});

it("what the service says stands at the axis, the seeds, or the field", () => {
  const axes = [{ path: "optimizer.lr", values: "" }];
  const at = (pointer: string) => placed([{ pointer, message: "" }], axes)[0]!.pointer;
  expect(at("/matrix/optimizer.lr")).toBe("/sweep/1");
  expect(at("/optimizer/lr")).toBe("/sweep/1");
  expect(at("/matrix")).toBe("/sweep");
  expect(at("/seeds/3")).toBe("/sweep/seeds");
  expect(at("/spec/steps")).toBe("/steps");
});
