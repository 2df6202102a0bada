import { describe, expect, it } from "vitest";
import { beginning, defaultsOf, type Field, type FieldOf, readSchema, type Schema, variantOf } from "./schema";

const SCHEMA: Schema = {
  type: "object",
  required: ["model", "rate"],
  properties: {
    kind: { const: "train", default: "train", type: "string" },
    model: {
      oneOf: [{ $ref: "#/$defs/Hub" }, { $ref: "#/$defs/Tiny" }],
      discriminator: { propertyName: "source", mapping: { hub: "#/$defs/Hub", tiny: "#/$defs/Tiny" } },
    },
    rate: { type: "number", exclusiveMinimum: 0, maximum: 1 },
    limit: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null },
    max_duration_s: { type: "number", default: 5, description: "So long." },
    weight: { oneOf: [{ type: "number" }, { $ref: "#/$defs/Cosine" }], default: 1 },
    trace: { anyOf: [{ type: "integer" }, { const: "random", type: "string" }], default: 0 },
    tags: { type: "array", items: { type: "string" }, default: [] },
    loggers: { type: "array", items: { enum: ["a", "b"], type: "string" }, default: [] },
    betas: { type: "array", prefixItems: [{ type: "number" }, { type: "number" }], default: [0.9, 0.99] },
    slots: { type: "array", items: { $ref: "#/$defs/Slot" } },
    extra: { anyOf: [{ $ref: "#/$defs/Tiny" }, { type: "null" }], default: null },
    inner: { $ref: "#/$defs/Inner", default: { size: 9 } },
    strange: { type: "object", additionalProperties: true } as Schema,
  },
  $defs: {
    Hub: { type: "object", required: ["id"], properties: { source: { const: "hub" }, id: { type: "string" } } },
    Tiny: {
      type: "object",
      description: "A small one.",
      properties: { source: { const: "tiny" }, layers: { type: "integer", default: 2 } },
    },
    Cosine: {
      type: "object",
      required: ["start"],
      properties: { shape: { const: "cosine", default: "cosine" }, start: { type: "number" } },
    },
    Slot: {
      type: "object",
      required: ["n", "when"],
      properties: { n: { type: "integer" }, when: { enum: ["never", "always"], type: "string" } },
    },
    Inner: { type: "object", properties: { size: { type: "integer", default: 9 } } },
  },
};
const root = readSchema(SCHEMA) as FieldOf<"object">;
const field = <F = Field>(name: string): F => root.fields.find((one) => one.name === name) as F;

describe("fields of a schema", () => {
  it("gives every kind of value its shape", () => {
    expect(root.fields.map((one) => [one.name, one.shape])).toEqual([
      ["kind", "constant"],
      ["model", "union"],
      ["rate", "number"],
      ["limit", "number"],
      ["max_duration_s", "number"],
      ["weight", "union"],
      ["trace", "union"],
      ["tags", "words"],
      ["loggers", "choices"],
      ["betas", "tuple"],
      ["slots", "list"],
      ["extra", "object"],
      ["inner", "object"],
      ["strange", "json"],
    ]);
  });
  it("keeps bounds, units, words, and whether it may be left out", () => {
    expect(field("rate")).toMatchObject({ bounds: "> 0, ≤ 1", required: true, nullable: false, initial: undefined });
    expect(field("limit")).toMatchObject({ integer: true, nullable: true, bounds: "≥ 1" });
    expect(field("max_duration_s")).toMatchObject({ label: "max duration", unit: "seconds", about: "So long." });
    expect(field("extra")).toMatchObject({ nullable: true, about: "A small one." });
  });
  it("knows of which variant a value is", () => {
    const name = (of: string, value: unknown) => variantOf(field<FieldOf<"union">>(of), value)?.name ?? null;
    expect(name("model", { source: "tiny" })).toBe("tiny");
    expect(name("model", undefined)).toBeNull();
    expect(name("weight", 0.5)).toBe("number");
    expect(name("weight", { shape: "cosine", start: 1 })).toBe("cosine");
    expect(name("trace", "random")).toBe("random");
    expect(name("trace", 3)).toBe("number");
  });
  it("does not ask for what the choice of a variant says", () => {
    const model = field<FieldOf<"union">>("model");
    expect(model.tag).toBe("source");
    expect((model.variants[0]!.field as FieldOf<"object">).fields.map((one) => one.name)).toEqual(["id"]);
  });
  it("fills defaults, parts of parts too, and leaves out what must be given", () => {
    expect(defaultsOf(root)).toMatchObject({ kind: "train", limit: null, extra: null, inner: { size: 9 }, weight: 1 });
    expect(defaultsOf(root)).not.toHaveProperty("rate");
    expect(beginning((field("slots") as FieldOf<"list">).item)).toEqual({ when: "never" });
  });
});
