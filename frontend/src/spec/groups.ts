/** Which fields come first, and how the others are put together. A field that nobody names here stands under "More". */
import type { Field, FieldOf } from "./schema";

/** Those that are asked first, by path. */
const FIRST = [
  "name",
  "tags",
  "seed",
  "steps",
  "prompts_per_step",
  "model",
  "data",
  "evaluation.benchmarks",
  "benchmarks",
];

const GROUPS: [string, string[]][] = [
  ["Guidance", ["guidance"]],
  ["Loss", ["expert", "policy"]],
  ["Stages and extras", ["warm_start", "demonstrations", "fallback", "failure_buffer", "alternate", "refill"]],
  ["Optimizer", ["optimizer", "updates_per_batch", "lora"]],
  ["Sampling and rewards", ["sampling", "template", "reward"]],
  ["Evaluation and checkpoints", ["evaluation", "batch_size", "checkpoints"]],
  ["Resources", ["resources", "dtype", "tokens_per_microbatch", "gradient_checkpointing", "loggers"]],
];
/** Chosen elsewhere on the page. */
const ELSEWHERE = ["kind", "method"];

export interface Placed {
  path: string[];
  field: Field;
}
export interface Group {
  title: string;
  fields: Placed[];
}

export function groupsOf(root: FieldOf<"object">): { first: Placed[]; groups: Group[] } {
  const find = (name: string): Field | undefined => root.fields.find((field) => field.name === name);
  const first = FIRST.flatMap((words): Placed[] => {
    const path = words.split(".");
    const field = path.slice(1).reduce(partOf, find(path[0]!));
    return field ? [{ path, field }] : [];
  });
  const rest = (names: string[]): Placed[] =>
    names.flatMap((name) => {
      const field = find(name);
      return field && !FIRST.includes(name) ? [{ path: [name], field: withoutFirst(field) }] : [];
    });
  const known = new Set([...FIRST, ...ELSEWHERE, ...GROUPS.flatMap(([, names]) => names)]);
  const more = root.fields.map((field) => field.name).filter((name) => !known.has(name));
  const groups = [...GROUPS, ["More", more] as [string, string[]]].map(([title, names]) => ({
    title,
    fields: rest(names),
  }));
  return { first, groups: groups.filter((group) => group.fields.length > 0) };
}

const partOf = (field: Field | undefined, name: string): Field | undefined =>
  field?.shape === "object" ? field.fields.find((part) => part.name === name) : undefined;

/** The parts of an object that are not asked first. */
function withoutFirst(field: Field): Field {
  if (field.shape !== "object") return field;
  return { ...field, fields: field.fields.filter((part) => !FIRST.includes(`${field.name}.${part.name}`)) };
}
