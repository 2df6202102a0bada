/** Round numbers for an axis: about `want` ticks, each 1, 2 or 5 times a power of ten apart. */
export function ticks(low: number, high: number, want: number, whole = false): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, want);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw && (!whole || s >= 1)) ?? 10 * power;
  const every = whole ? Math.max(1, step) : step;
  const out: number[] = [];
  for (let i = Math.ceil(low / every - 1e-9); i * every <= high + every * 1e-9; i += 1) out.push(i * every + 0); // + 0: never minus zero
  return out;
}
