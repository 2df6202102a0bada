/** Which rows of a long list are drawn, and where the keyboard goes. All rows are equally high. */

/** Rows `first` to `last` (not included) are near the screen; `top` is how far the list is scrolled out above it. */
export function windowOf(top: number, height: number, rowHeight: number, count: number, spare = 8): [number, number] {
  const first = Math.floor(top / rowHeight) - spare;
  const last = Math.ceil((top + height) / rowHeight) + spare;
  const within = (row: number): number => Math.min(Math.max(row, 0), count);
  return [within(first), within(last)];
}

/** The row that a key leads to; null for other keys. */
export function rowByKey(key: string, at: number, count: number, perPage: number): number | null {
  const moves: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + perPage,
    PageUp: at - perPage,
    Home: 0,
    End: count - 1,
  };
  const to = moves[key];
  return to === undefined || count === 0 ? null : Math.min(Math.max(to, 0), count - 1);
}

/** How far to scroll so that what lies from `top` to `bottom` is between `above` and `below`; 0 when it is. */
export function scrollBy(top: number, bottom: number, above: number, below: number): number {
  if (top < above) return top - above;
  return bottom > below ? Math.min(bottom - below, top - above) : 0;
}

/** From one row to another, both included, whichever is first. */
export function span<T>(rows: readonly T[], from: number, to: number): T[] {
  return rows.slice(Math.min(from, to), Math.max(from, to) + 1);
}
