/** The filter language of the list of runs: text to what `GET /runs` is asked for, or to what is wrong and how to mend
 *  it. Pure; `complete.ts` helps to write it, `matches.ts` is the api's rule. */
import { nearestOf } from "./slip";

export const STATES = ["queued", "starting", "running", "succeeded", "failed", "cancelled", "paused"] as const;
export const KINDS = ["train", "eval"] as const;
export const MARKS = ["archived", "deleted"] as const;

/** Every word that takes a value, with a line on what it finds. */
export const KEYS = {
  status: "runs in this state; several: one of them",
  method: "of this method",
  reward: "unguided reward, such as reward>0.6",
  score: "benchmark score, such as score>60%",
  tag: "with this tag; several: all of them",
  name: "this in the name; so does a bare word",
  kind: "train or eval",
  by: "made by this key",
  sweep: "runs of this sweep",
  is: "archived or deleted, instead of the others",
} as const;
export type Key = keyof typeof KEYS;

/** What `GET /runs` takes; its words. */
export interface RunFilter {
  state: string[];
  tag: string[];
  method?: string;
  name?: string;
  kind?: string;
  created_by?: string;
  sweep?: string;
  archived?: true;
  deleted?: true;
  min_reward?: number;
  max_reward?: number;
  min_score?: number;
  max_score?: number;
}

export interface Problem {
  /** Where in the text the word stands that is meant. */
  start: number;
  end: number;
  message: string;
  /** What to write instead, when that can be guessed. */
  instead?: string;
}

export interface Word {
  start: number;
  end: number;
  text: string;
}

/** Words are parted by spaces; within double quotes a space is only a space. */
export function wordsOf(text: string): Word[] {
  return [...text.matchAll(/(?:"[^"]*"?|[^\s"])+/g)].map((found) => ({
    start: found.index,
    end: found.index + found[0].length,
    text: found[0],
  }));
}

const unquoted = (text: string): string => text.replaceAll('"', "");
export const quoted = (text: string): string => (/[\s":<>]/.test(text) ? `"${unquoted(text)}"` : text);

export function parse(text: string): { filter: RunFilter; problems: Problem[] } {
  const filter: RunFilter = { state: [], tag: [] };
  const problems: Problem[] = [];
  for (const word of wordsOf(text)) {
    const problem = read(word.text, filter);
    if (problem) problems.push({ start: word.start, end: word.end, ...problem });
  }
  if ((filter.name?.length ?? 0) > 120)
    problems.push({ start: 0, end: text.length, message: "A name has at most 120 letters." });
  return { filter, problems };
}

type Wrong = Omit<Problem, "start" | "end"> | null;

/** One word into the filter; what is wrong with it, if anything. */
function read(word: string, filter: RunFilter): Wrong {
  const found = /^([A-Za-z_]+)(:|[<>]=?)(.*)$/s.exec(word);
  if (!found) {
    filter.name = filter.name ? `${filter.name} ${unquoted(word)}` : unquoted(word) || undefined;
    return null;
  }
  const [, written = "", sign = ":", rest = ""] = found;
  const key = keyOf(written);
  const value = unquoted(rest);
  if (!key) {
    const guess = nearestOf(written.toLowerCase(), Object.keys(KEYS));
    return guess
      ? {
          message: `There is no word “${written}${sign}”. Did you mean “${guess}${sign}”?`,
          instead: `${guess}${sign}${rest}`,
        }
      : {
          message: `There is no word “${written}${sign}”. To look for it in names, put it in quotes.`,
          instead: `"${value ? `${written}${sign}${value}` : written}"`,
        };
  }
  if (!value) return { message: `“${written}${sign}” needs a value: ${KEYS[key]}.` };
  if (key === "reward" || key === "score") return bound(key, sign, value, filter);
  if (sign !== ":") return { message: `“${key}” is not compared: write “${key}:${value}”.`, instead: `${key}:${rest}` };
  return take(key, value, filter);
}

function keyOf(written: string): Key | null {
  const key = written.toLowerCase();
  return key === "state" ? "status" : key in KEYS ? (key as Key) : null;
}

function take(key: Exclude<Key, "reward" | "score">, value: string, filter: RunFilter): Wrong {
  switch (key) {
    case "status":
      for (const one of value.split(",")) {
        const wrong = oneOf(key, one.toLowerCase(), STATES);
        if (wrong) return wrong;
        filter.state.push(one.toLowerCase());
      }
      return null;
    case "tag":
      filter.tag.push(value);
      return null;
    case "name":
      filter.name = filter.name ? `${filter.name} ${value}` : value;
      return null;
    case "is": {
      const wrong = oneOf(key, value.toLowerCase(), MARKS);
      if (!wrong) filter[value.toLowerCase() as (typeof MARKS)[number]] = true;
      return wrong;
    }
    case "kind":
      return oneOf(key, value.toLowerCase(), KINDS) ?? once(filter, "kind", value.toLowerCase(), key);
    default:
      return once(filter, key === "by" ? "created_by" : key, value, key);
  }
}

function once(filter: RunFilter, field: "kind" | "method" | "created_by" | "sweep", value: string, key: Key): Wrong {
  if (filter[field] !== undefined && filter[field] !== value)
    return { message: `“${key}:” stands twice; a run has only one. Take one out.`, instead: "" };
  filter[field] = value;
  return null;
}

function oneOf(key: Key, value: string, known: readonly string[]): Wrong {
  if (known.includes(value)) return null;
  const guess = nearestOf(value, known);
  const message = `“${key}:” knows no “${value}”.`;
  return guess
    ? { message: `${message} Did you mean “${guess}”?`, instead: `${key}:${guess}` }
    : { message: `${message} It is one of ${known.join(", ")}.` };
}

function bound(key: "reward" | "score", sign: string, value: string, filter: RunFilter): Wrong {
  if (sign === ":")
    return { message: `“${key}” is compared: write ${key}>${value} or ${key}<${value}.`, instead: `${key}>${value}` };
  const number = value.endsWith("%") ? Number(value.slice(0, -1)) / 100 : Number(value);
  if (!/\d/.test(value) || !Number.isFinite(number))
    return { message: `“${value}” is not a number, such as 0.6 or 60%.` };
  // The api's bounds are part of what they bound; < and > mean the next number beyond.
  if (sign.startsWith(">")) {
    const low = sign === ">" ? beyond(number, 1) : number;
    filter[`min_${key}`] = Math.max(filter[`min_${key}`] ?? low, low);
  } else {
    const high = sign === "<" ? beyond(number, -1) : number;
    filter[`max_${key}`] = Math.min(filter[`max_${key}`] ?? high, high);
  }
  return null;
}

/** The next double above (1) or below (-1). */
function beyond(x: number, direction: 1 | -1): number {
  if (x === 0) return direction * Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + (x > 0 === direction > 0 ? 1n : -1n));
  return view.getFloat64(0);
}
