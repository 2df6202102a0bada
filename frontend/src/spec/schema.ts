/** From the JSON Schema of a spec to the fields of a form. What has no shape that we know is edited as JSON. */

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  discriminator?: { propertyName: string; mapping: Record<string, string> };
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  prefixItems?: Schema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  maxLength?: number;
}

export interface Variant {
  name: string;
  field: Field;
}

export type Shape =
  | { shape: "number"; integer: boolean; bounds: string }
  | { shape: "text"; most?: number }
  | { shape: "choice"; options: string[] }
  | { shape: "flag" }
  /** Plain values, parted by commas. */
  | { shape: "words"; numbers: boolean }
  | { shape: "choices"; options: string[] }
  | { shape: "tuple"; items: Field[] }
  | { shape: "object"; fields: Field[] }
  | { shape: "list"; item: Field }
  /** One of several; `tag` is the property that says which, if one does. */
  | { shape: "union"; tag: string | null; variants: Variant[] }
  | { shape: "constant"; value: unknown }
  | { shape: "json" };

export type Field = Shape & {
  name: string;
  label: string;
  about: string;
  unit: string;
  nullable: boolean;
  required: boolean;
  /** What holds if nothing is given; undefined if something must be. */
  initial: unknown;
};
export type FieldOf<S extends Shape["shape"]> = Extract<Field, { shape: S }>;

export function readSchema(schema: Schema, name = ""): Field {
  return read(schema, name, true, schema.$defs ?? {});
}

function read(schema: Schema, name: string, required: boolean, defs: Record<string, Schema>): Field {
  const full = resolve(schema, defs);
  const { options, nullable } = optionsOf(full);
  const shape = options.length === 1 ? shapeOf(resolve(options[0]!, defs), defs) : unionOf(full, options, defs);
  return {
    ...shape,
    name,
    label: name.replace(/_s$/, "").replaceAll("_", " "),
    // The words at the field come before those of the kind of thing it is.
    about: full.description ?? (options.length === 1 ? (resolve(options[0]!, defs).description ?? "") : ""),
    unit: unitOf(name),
    nullable,
    required,
    initial: full.default,
  };
}

/** What stands beside a $ref goes before what it leads to. */
function resolve({ $ref, ...own }: Schema, defs: Record<string, Schema>): Schema {
  return $ref ? { ...defs[$ref.split("/").at(-1)!], ...own } : own;
}

/** The alternatives without null; an anyOf may hold a oneOf. */
function optionsOf(schema: Schema): { options: Schema[]; nullable: boolean } {
  const all = schema.anyOf ?? schema.oneOf;
  if (!all) return { options: [schema], nullable: schema.type === "null" };
  const options = all.filter((option) => option.type !== "null");
  return { options, nullable: options.length < all.length };
}

function shapeOf(schema: Schema, defs: Record<string, Schema>): Shape {
  if (schema.oneOf ?? schema.anyOf) return unionOf(schema, optionsOf(schema).options, defs);
  if (schema.const !== undefined) return { shape: "constant", value: schema.const };
  if (schema.enum) return { shape: "choice", options: schema.enum.map(String) };
  switch (schema.type) {
    case "number":
    case "integer":
      return { shape: "number", integer: schema.type === "integer", bounds: boundsOf(schema) };
    case "string":
      return { shape: "text", most: schema.maxLength };
    case "boolean":
      return { shape: "flag" };
    case "array":
      return arrayOf(schema, defs);
    case "object":
      return schema.properties ? { shape: "object", fields: fieldsOf(schema, defs) } : { shape: "json" };
    default:
      return { shape: "json" };
  }
}

function fieldsOf(schema: Schema, defs: Record<string, Schema>): Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, part]) =>
    read(part, name, schema.required?.includes(name) ?? false, defs),
  );
}

function arrayOf(schema: Schema, defs: Record<string, Schema>): Shape {
  if (schema.prefixItems)
    return { shape: "tuple", items: schema.prefixItems.map((item, i) => read(item, String(i), true, defs)) };
  if (!schema.items) return { shape: "json" };
  const item = read(schema.items, "", true, defs);
  if (item.shape === "choice") return { shape: "choices", options: item.options };
  if (item.shape === "text" || item.shape === "number") return { shape: "words", numbers: item.shape === "number" };
  return { shape: "list", item };
}

function unionOf(schema: Schema, options: Schema[], defs: Record<string, Schema>): Shape {
  const told = schema.discriminator;
  if (told) {
    const variants = Object.entries(told.mapping).map(([name, $ref]) => {
      const field = read({ $ref }, name, true, defs);
      if (field.shape !== "object") return { name, field };
      return { name, field: { ...field, fields: field.fields.filter((part) => part.name !== told.propertyName) } };
    });
    return { shape: "union", tag: told.propertyName, variants };
  }
  const variants = options.map((option) => {
    const field = read(option, "", true, defs);
    return { name: nameOf(field), field };
  });
  return { shape: "union", tag: null, variants };
}

/** How a variant is called that no discriminator names: by its constant, or by its shape. */
function nameOf(field: Field): string {
  if (field.shape === "constant") return String(field.value);
  const constant = field.shape === "object" && field.fields.find((part) => part.shape === "constant");
  if (constant && constant.shape === "constant") return String(constant.value);
  return field.shape === "words" ? "list" : field.shape;
}

/** Which variant a value is of; null if none. */
export function variantOf(field: FieldOf<"union">, value: unknown): Variant | null {
  const record = value !== null && typeof value === "object" && !Array.isArray(value);
  if (field.tag) {
    const name = record ? (value as Record<string, unknown>)[field.tag] : undefined;
    return field.variants.find((variant) => variant.name === name) ?? null;
  }
  const fits = ({ field: part }: Variant): boolean => {
    if (part.shape === "constant") return value === part.value;
    if (part.shape !== "object") return record ? false : Array.isArray(value) === (part.shape === "words");
    return (
      record && part.fields.every((f) => f.shape !== "constant" || [f.value, undefined].includes(valueIn(value, f)))
    );
  };
  const exact = field.variants.filter(fits);
  return exact.find((variant) => variant.field.shape === "constant") ?? exact[0] ?? null;
}

const valueIn = (value: unknown, field: Field): unknown => (value as Record<string, unknown>)[field.name];

/** What holds if nothing is given; parts that must be given are left out. */
export function defaultsOf(field: Field): unknown {
  if (field.shape === "constant") return field.value;
  if (field.initial === null) return null;
  if (field.shape !== "object") return field.initial;
  const parts = field.fields.map((part) => [part.name, defaultsOf(part)] as const);
  return Object.fromEntries(parts.filter(([, value]) => value !== undefined));
}

/** What a new item of a list, or a variant just chosen, begins with: only what must be said. */
export function beginning(field: Field): unknown {
  switch (field.shape) {
    case "constant":
      return field.value;
    case "object":
      return Object.fromEntries(
        field.fields
          .filter((part) => part.shape === "constant" || (part.required && part.shape === "choice"))
          .map((part) => [part.name, part.shape === "choice" ? part.options[0] : beginning(part)]),
      );
    case "number":
      return field.initial ?? 0;
    case "list":
    case "words":
    case "choices":
      return [];
    default:
      return field.initial ?? "";
  }
}

function boundsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string {
  const low = minimum !== undefined ? `≥ ${minimum}` : exclusiveMinimum !== undefined ? `> ${exclusiveMinimum}` : "";
  const high = maximum !== undefined ? `≤ ${maximum}` : exclusiveMaximum !== undefined ? `< ${exclusiveMaximum}` : "";
  return [low, high].filter(Boolean).join(", ");
}

/** The api's names tell the unit by their end. */
function unitOf(name: string): string {
  if (name.endsWith("_s")) return "seconds";
  if (name === "max_tokens" || name.startsWith("tokens_")) return "tokens";
  if (name === "every_steps") return "steps";
  return name === "top_entropy" || name.endsWith("_share") ? "share of 1" : "";
}
