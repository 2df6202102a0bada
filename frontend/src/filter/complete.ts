/** What could be written at the caret of a filter. */
import { KEYS, type Key, KINDS, MARKS, quoted, STATES, wordsOf } from "./filter";

export interface Seen {
  methods: readonly string[];
  tags: readonly string[];
  people: readonly string[];
}

export interface Option {
  /** What takes the place of the word at the caret. */
  text: string;
  hint: string;
}

export interface Completion {
  from: number;
  to: number;
  options: Option[];
}

const MOST = 12;

export function complete(text: string, caret: number, seen: Seen): Completion {
  const word = wordsOf(text).find((one) => one.start < caret && caret <= one.end) ?? {
    start: caret,
    end: caret,
    text: "",
  };
  const typed = word.text.slice(0, caret - word.start).toLowerCase();
  const options = (typed.includes(":") ? valuesFor(typed, seen) : keysFor(typed)).filter(
    (option) => option.text !== word.text,
  );
  return { from: word.start, to: word.end, options: options.slice(0, MOST) };
}

function keysFor(typed: string): Option[] {
  const keys = Object.entries(KEYS)
    .filter(([key]) => key.startsWith(typed))
    .map(([key, hint]) => ({ text: key === "reward" || key === "score" ? `${key}>` : `${key}:`, hint }));
  // A state is what people type first, with or without its key.
  const states = typed.length > 1 ? STATES.filter((state) => state.startsWith(typed)) : [];
  return [...keys, ...states.map((state) => ({ text: `status:${state}`, hint: "runs in this state" }))];
}

function valuesFor(typed: string, seen: Seen): Option[] {
  const at = typed.indexOf(":");
  const [key, begun] = [typed.slice(0, at), typed.slice(at + 1).replaceAll('"', "")];
  const values: Partial<Record<Key | "state", readonly string[]>> = {
    status: STATES,
    state: STATES,
    kind: KINDS,
    is: MARKS,
    method: seen.methods,
    tag: seen.tags,
    by: seen.people,
  };
  return (values[key as Key] ?? [])
    .filter((value) => value.toLowerCase().startsWith(begun))
    .map((value) => ({ text: `${key}:${quoted(value)}`, hint: "" }));
}

/** The text with an option in its place, ready for the next word; a key waits for its value. */
export function accept(text: string, { from, to }: Completion, option: Option): { text: string; caret: number } {
  const waits = /[:<>]$/.test(option.text);
  const rest = text.slice(to);
  const made = option.text + (waits || rest.startsWith(" ") ? "" : " ");
  const caret = from + made.length + (!waits && rest.startsWith(" ") ? 1 : 0);
  return { text: text.slice(0, from) + made + rest, caret };
}
