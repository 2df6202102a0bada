import { runName } from "../format";
import type { RunData } from "../live";

const nameOf = (data: RunData): string => data.detail.method ?? runName(data.detail);

/** Two runs side by side are told apart by method, or by name where the method is the same. */
export function pairNames(a: RunData, b: RunData | null): [string, string] {
  if (!b) return [nameOf(a), ""];
  if (nameOf(a) !== nameOf(b)) return [nameOf(a), nameOf(b)];
  const [x, y] = [runName(a.detail), runName(b.detail)];
  return x === y ? [a.detail.id.slice(-6), b.detail.id.slice(-6)] : [x, y];
}
