/** A sweep as it is written in the form: fields by path with a list of values each, and seeds. */
import { type Json, type Path, put, same } from "./draft";
import { readSeeds } from "./orders";
import { type FieldError, isWithin, plain, pointerOf } from "./pointers";
import type { Field } from "./schema";

/** One field that takes several values, as it is typed. */
export interface Axis {
  path: string;
  values: string;
}

export interface Sweep {
  matrix: Record<string, unknown[]>;
  seeds: number[];
  /** How many it makes: 1 is no sweep. */
  runs: number;
  /** At `/sweep/1` for the first axis, `/sweep/seeds`, or `/sweep` for the whole. */
  errors: FieldError[];
}

const MOST_RUNS = 256;
export const MOST_AXES = 8;
const OWN: Record<string, string> = { seed: "Seeds have a field of their own.", kind: "A sweep is of one kind." };

export const segments = (path: string): Path =>
  path.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
/** The pointer of an axis by its place. */
export const axisPointer = (place: number): string => `/sweep/${place + 1}`;

export function readSweep(axes: readonly Axis[], seedText: string, root: Field): Sweep {
  const errors: FieldError[] = [];
  const matrix: Record<string, unknown[]> = {};
  axes.forEach((axis, i) => {
    const path = axis.path.trim();
    const values = splitValues(axis.values).map((text) => readValue(text, fieldAt(root, path)));
    const message = wrongWith(path, values, path in matrix);
    if (message) errors.push({ pointer: axisPointer(i), message });
    else matrix[path] = values;
  });
  const seeds = readSeeds(seedText);
  if (!seeds) errors.push({ pointer: "/sweep/seeds", message: "Seeds are whole numbers, such as 0, 1, 2 or 0-4." });
  const points = Object.values(matrix).reduce((product, values) => product * values.length, 1);
  const runs = points * Math.max(1, seeds?.length ?? 0);
  if (runs > MOST_RUNS)
    errors.push({ pointer: "/sweep", message: `It makes ${runs} runs, and a sweep has at most ${MOST_RUNS}.` });
  return { matrix, seeds: seeds ?? [], runs, errors };
}

function wrongWith(path: string, values: readonly unknown[], again: boolean): string {
  if (!path) return "Which field?";
  if (OWN[path]) return OWN[path];
  if (again) return `${path} has a line already.`;
  if (values.length === 0) return "Which values?";
  return values.some((value, i) => values.slice(0, i).some((before) => same(before, value)))
    ? "A value is there twice."
    : "";
}

/** Parted by commas, but not inside of brackets, braces or quotes. */
export function splitValues(text: string): string[] {
  const parts = [""];
  let [depth, quoted] = [0, false];
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    else if (!quoted && "[{".includes(letter)) depth += 1;
    else if (!quoted && "]}".includes(letter)) depth -= 1;
    if (letter === "," && !quoted && depth <= 0) parts.push("");
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** One that cannot be read as what the field wants stays a text, and the service says what is wrong with it. */
export function readValue(text: string, field: Field | null): unknown {
  if (field?.nullable && (text === "none" || text === "null")) return null;
  if (field?.shape === "text" || field?.shape === "choice") return text.replace(/^"(.*)"$/, "$1");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const inner = /^\[(.*)\]$/.exec(text);
    return inner ? splitValues(inner[1]!).map((word) => readValue(word, null)) : text;
  }
}

/** The field that a path leads to; null if it is none that the form knows. */
export function fieldAt(root: Field, path: string): Field | null {
  let found: Field[] = [root];
  for (const name of path.split(".")) found = found.flatMap((field) => partsOf(field, name));
  return found[0] ?? null;
}

function partsOf(field: Field, name: string): Field[] {
  if (field.shape === "object") return field.fields.filter((part) => part.name === name);
  if (field.shape === "union") return field.variants.flatMap((variant) => partsOf(variant.field, name));
  if (field.shape === "list") return /^\d+$/.test(name) ? [field.item] : [];
  return field.shape === "tuple" && field.items[Number(name)] ? [field.items[Number(name)]!] : [];
}

/** What can be offered: every field with one value, by path. */
export function pathsOf(field: Field, path = ""): string[] {
  if (field.shape === "constant" || field.shape === "list" || path in OWN) return [];
  if (field.shape === "object")
    return field.fields.flatMap((part) => pathsOf(part, path ? `${path}.${part.name}` : part.name));
  if (field.shape === "union") return [...new Set(field.variants.flatMap((variant) => pathsOf(variant.field, path)))];
  return [path];
}

/** The spec of the first run. It is also what is sent: what the sweep changes of a list must be there. */
export const firstPoint = (draft: Json, base: Json, matrix: Sweep["matrix"]): Json =>
  Object.entries(matrix).reduce((spec, [path, [value]]) => put(spec, base, segments(path), value), draft);

/** What the service blames, at the axis that brought it, or else at its field. */
export function placed(errors: readonly FieldError[], axes: readonly Axis[]): FieldError[] {
  const pointers = axes.map((axis) => pointerOf(segments(axis.path.trim())));
  return errors.map((error) => {
    if (error.pointer === "/matrix") return { ...error, pointer: "/sweep" };
    if (isWithin(error.pointer, "/seeds")) return { ...error, pointer: "/sweep/seeds" };
    const found = plain(error);
    const place = pointers.findIndex((pointer) => isWithin(found.pointer, pointer));
    return place < 0 ? found : { ...found, pointer: axisPointer(place) };
  });
}
