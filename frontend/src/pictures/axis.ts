/** Round numbers for an axis: about `want` ticks, as far apart as one of `steps`, or 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, want: number, steps?: readonly number[]): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, want);
  const power = 10 ** Math.floor(Math.log10(raw));
  const every = (steps ?? [1, 2, 5].map((m) => m * power)).find((step) => step >= raw) ?? 10 * power;
  const out: number[] = [];
  for (let i = Math.ceil(low / every - 1e-9); i * every <= high + every * 1e-9; i += 1) out.push(i * every + 0); // + 0: never minus zero
  return out;
}
