/** Which word a person may have meant. */

/** The known word that `word` is a slip of the keys away from. */
export function nearestOf(word: string, known: readonly string[]): string | null {
  const ranked = known.map((one) => ({ one, far: distance(word, one) })).sort((a, b) => a.far - b.far)[0];
  return ranked && ranked.far <= Math.max(1, Math.floor(ranked.one.length / 3)) ? ranked.one : null;
}

/** Letters to add, drop, change or swap with their neighbour. */
function distance(a: string, b: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        next[j] = Math.min(next[j]!, before[j - 2]! + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
