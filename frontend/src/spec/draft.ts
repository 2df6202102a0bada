/** A draft is what the person says, and only that; under it lie the values of the method, or of the run that is cloned. */
import { defaultsOf, type Field } from "./schema";

export type Json = Record<string, unknown>;
export type Path = readonly (string | number)[];

export const isRecord = (value: unknown): value is Json =>
  value !== null && typeof value === "object" && !Array.isArray(value);
export const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    isRecord(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v,
  );
}

/** The properties that say of which kind an object is; one of another kind replaces, it is not mixed in. */
const KINDS = ["source", "format", "draw", "shape"];
const otherKind = (base: Json, given: Json): boolean =>
  KINDS.some((key) => base[key] !== undefined && given[key] !== undefined && base[key] !== given[key]);

/** As the service merges: mapping by mapping; a list or a value replaces whole. */
export function merge(base: unknown, given: unknown): unknown {
  if (given === undefined) return base;
  if (!isRecord(base) || !isRecord(given) || otherKind(base, given)) return given;
  const merged: Json = { ...base };
  for (const [key, value] of Object.entries(given)) merged[key] = merge(base[key], value);
  return merged;
}

/** What holds before anything is said: the spec's defaults, and over them the method's. */
export function baseOf(root: Field, values: Json): Json {
  const { name: _name, ...defaults } = defaultsOf(root) as Json;
  return merge(defaults, values) as Json;
}

export function at(value: unknown, path: Path): unknown {
  let node = value;
  for (const key of path) {
    if (node === null || typeof node !== "object") return undefined;
    node = (node as Record<string | number, unknown>)[key];
  }
  return node;
}

/** The draft with `value` at `path`; undefined, or what holds anyway, takes it out. A list is taken over whole. */
export function put(draft: Json, base: Json, path: Path, value: unknown): Json {
  const inList = path.some((key) => typeof key === "number");
  if (!inList && (value === undefined || same(value, at(base, path)))) return take(draft, base, path) as Json;
  return set(draft, base, path, value) as Json;
}

function set(node: unknown, base: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const below = at(base, [key]);
  if (typeof key === "number") {
    const list = [...((node ?? base ?? []) as unknown[])];
    // Parts of a list's item are never merged with the base's.
    list[key] = set(list[key], undefined, rest, value);
    return list;
  }
  const record = isRecord(node) ? { ...node } : {};
  const next = set(record[key], below, rest, value);
  if (next === undefined) delete record[key];
  else record[key] = next;
  return record;
}

function take(node: unknown, base: unknown, path: Path): unknown {
  const [key, ...rest] = path;
  if (key === undefined || !isRecord(node) || !(key in node)) return node;
  const record = { ...node };
  const left = rest.length ? take(record[key], at(base, [key]), rest) : undefined;
  // An object that the base does not have is said by being there, however empty.
  if (left === undefined || (isRecord(left) && Object.keys(left).length === 0 && isRecord(at(base, [key]))))
    delete record[key as string];
  else record[key as string] = left;
  return record;
}

export interface Change {
  path: string[];
  before: unknown;
  after: unknown;
}

/** Where the draft says something else than the base, field by field. */
export function changesOf(base: unknown, draft: unknown, path: string[] = []): Change[] {
  if (draft === undefined || same(base, draft)) return [];
  if (!isRecord(draft) || !isRecord(base) || otherKind(base, draft)) return [{ path, before: base, after: draft }];
  return Object.entries(draft).flatMap(([key, value]) => changesOf(base[key], value, [...path, key]));
}

/** The body of a clone: what is different, by path. */
export const overridesOf = (base: Json, draft: Json): Json =>
  Object.fromEntries(changesOf(base, draft).map(({ path, after }) => [path.join("."), after]));

/** A value in few words, for a mark or a list of differences. */
export function brief(value: unknown, most = 60): string {
  if (value === undefined) return "not set";
  if (value === null) return "none";
  const text = typeof value === "string" ? value || "empty" : JSON.stringify(value);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
