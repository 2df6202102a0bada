/** The sides of a comparison: single runs, or runs that differ in nothing but seed, name and tags, as one. */
import { runName } from "../format";
import type { RunDetail } from "../types";

export interface Style {
  color: string;
  dash?: number[];
}

export interface Side extends Style {
  label: string;
  /** Newest last, as asked for. */
  runs: RunDetail[];
}

const COLORS = ["run-a", "run-b", "level-1", "level-4", "level-3", "level-2", "ink-2"];
const DASHES = [undefined, [9, 4], [3, 3]];

/** By place in the URL, so that a run keeps its looks whatever else is shown. Seven colours and three strokes have no
 *  common divisor: 21 runs all look different, and neighbours differ in both. */
export const styleOf = (place: number): Style => ({
  color: COLORS[place % COLORS.length]!,
  dash: DASHES[place % DASHES.length],
});

/** What two runs must have in common to be seeds of each other; the api's board asks the same. */
function kindOf({ id, kind, spec }: RunDetail): string {
  if (spec.seed === undefined) return id; // an import without a spec
  const { name: _, tags: __, seed: ___, ...rest } = spec;
  return JSON.stringify([kind, sorted(rest)]);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** `places` are the runs' places in the URL. */
export function sidesOf(runs: readonly RunDetail[], places: readonly number[], apart: boolean): Side[] {
  const groups = new Map<string, number[]>();
  runs.forEach((run, i) => {
    const key = apart ? run.id : kindOf(run);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const names = [...groups.values()].map((members) => nameOf(members.map((i) => runs[i]!)));
  return [...groups.values()].map((members, g) => {
    const own = members.map((i) => runs[i]!);
    const twice = names.filter((name) => name === names[g]).length > 1;
    const label = `${names[g]}${twice ? ` (${own[0]!.id.slice(-6)})` : ""}`;
    return { ...styleOf(places[members[0]!]!), runs: own, label };
  });
}

/** What the names of seeds begin with alike: "chains, seed 1" and "chains, seed 2" are "chains, 2 seeds". */
function nameOf(runs: readonly RunDetail[]): string {
  const names = runs.map(runName);
  if (runs.length === 1) return names[0]!;
  let alike = names[0]!;
  for (const name of names) while (!name.startsWith(alike)) alike = alike.slice(0, -1);
  const name = alike.replace(/[\s,·:;#/_=(-]*(\b(seeds?|s))?[\s,·:;#/_=(-]*$/i, "") || names[0]!;
  // Of one seed they are the same run again.
  const seeds = new Set(runs.map((run) => run.spec.seed)).size === runs.length;
  return `${name}, ${runs.length} ${seeds ? "seeds" : "runs"}`;
}
