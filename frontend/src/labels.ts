/** Name, tags, notes and priority: what people set of a run, and what becomes of it when two write at once. */

export interface Labels {
  name: string;
  tags: string[];
  notes: string;
}

const TAG = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
export const MOST_TAGS = 16;
export const MOST_NOTES = 4000;

/** Tags as they are typed, parted by commas or spaces; each once. */
export const readTags = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))];

/** What is wrong with tags, in words; empty if nothing is. */
export function wrongTags(tags: readonly string[]): string {
  const wrong = tags.find((tag) => !TAG.test(tag));
  if (wrong !== undefined)
    return `“${wrong}” cannot be a tag: at most 64 letters, digits, dots, dashes and underscores, first a letter or digit.`;
  return tags.length > MOST_TAGS ? `A run has at most ${MOST_TAGS} tags.` : "";
}

export const PRIORITIES = "A whole number from −100 to 100; the highest is first.";

/** Null if it is none. */
export function readPriority(text: string): number | null {
  const plain = text.trim().replace("−", "-");
  return /^-?\d+$/.test(plain) && Math.abs(Number(plain)) <= 100 ? Number(plain) || 0 : null;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The fields that differ from `base`. */
export function changes(base: Labels, mine: Labels): Partial<Labels> {
  const fields = Object.keys(base) as (keyof Labels)[];
  return Object.fromEntries(fields.filter((f) => !same(base[f], mine[f])).map((f) => [f, mine[f]]));
}

/** Both began at `base`. What only they changed is taken over; what both changed differently stays mine, and is named. */
export function merge(base: Labels, mine: Labels, theirs: Labels): { merged: Labels; both: (keyof Labels)[] } {
  const ours = changes(base, mine);
  const both = (Object.keys(ours) as (keyof Labels)[]).filter(
    (field) => !same(base[field], theirs[field]) && !same(mine[field], theirs[field]),
  );
  return { merged: { ...theirs, ...ours }, both };
}
