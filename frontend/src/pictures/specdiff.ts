/** In what specs differ: one row for each field, by its path as overrides name it. */

export type Spec = Record<string, unknown>;

/** Name a run or repeat it, but are not what it does. */
const APART = new Set(["name", "tags"]);

export interface SpecCell {
  text: string;
  /** The value is one that the run's method stands for, not one that somebody chose. */
  derived: boolean;
  /** The method stands for another value: somebody chose this one. */
  chosen: boolean;
}

export interface SpecRow {
  path: string;
  /** By column: one run, or runs that differ only in their seed. */
  cells: SpecCell[];
}

export const ABSENT = "–";

const isPlain = (value: unknown): boolean => value === null || typeof value !== "object";
const said = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Every leaf by its path. A list of plain values is one leaf: `clip` is [0.2, 0.3], not two fields. */
export function leaves(spec: unknown, path = "", found = new Map<string, string>()): Map<string, string> {
  const empty = !isPlain(spec) && Object.keys(spec as object).length === 0;
  if (isPlain(spec) || empty || (Array.isArray(spec) && spec.every(isPlain))) found.set(path, said(spec));
  else for (const [key, value] of Object.entries(spec as object)) leaves(value, path ? `${path}.${key}` : key, found);
  return found;
}

/** `columns` are the specs of each column, `methods` the values that each column's method stands for. Fields that the
 *  methods explain alone come last. */
export function specRows(columns: readonly (readonly Spec[])[], methods: readonly (Spec | undefined)[]): SpecRow[] {
  const flat = columns.map((specs) => specs.map((spec) => leaves(spec)));
  const derived = methods.map((values) => (values ? leaves(values) : new Map<string, string>()));
  const paths = [...new Set(flat.flat().flatMap((fields) => [...fields.keys()]))];
  const rows = paths
    .filter((path) => !APART.has(path.split(".")[0]!))
    .map((path) => ({ path, cells: flat.map((specs, i) => cellOf(specs, path, derived[i]!)) }))
    .filter(({ cells }) => cells.some((cell) => cell.text !== cells[0]!.text));
  const chosen = rows.filter((row) => !isDerived(row)).sort((a, b) => rank(a.path) - rank(b.path));
  return [...chosen, ...rows.filter(isDerived)];
}

function cellOf(specs: readonly Map<string, string>[], path: string, derived: Map<string, string>): SpecCell {
  const values = [...new Set(specs.map((fields) => fields.get(path) ?? ABSENT))].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  const own = derived.get(path);
  const same = values.length === 1 && own === values[0];
  return { text: values.join(", "), derived: same, chosen: own !== undefined && !same };
}

/** The methods explain the row: where a value is not the method's it is the same default everywhere, or the field is
 *  not there, such as one of a slot that another method has not. */
export function isDerived({ path, cells }: SpecRow): boolean {
  const others = new Set(cells.filter((cell) => !cell.derived && cell.text !== ABSENT).map((cell) => cell.text));
  const ofPart = /\.\d+\./.test(path);
  return others.size <= 1 && !cells.some((cell) => cell.chosen) && (ofPart || cells.some((cell) => cell.derived));
}

const rank = (path: string): number => ["method", "seed"].indexOf(path) + 1 || 9;
