/** The step under the pointer or the keyboard, shared by all pictures of a page without redrawing the page. */

export type Mover = (step: number | null) => void;

export class StepCursor {
  private readonly movers = new Set<Mover>();

  follow(mover: Mover): () => void {
    this.movers.add(mover);
    return () => void this.movers.delete(mover);
  }

  /** `from` is the picture that moved it and does not need to hear of it. */
  move(step: number | null, from?: Mover): void {
    for (const mover of this.movers) if (mover !== from) mover(step);
  }
}

export type Zoom = [number, number] | null;

/** A zoom that is still being chosen asks nothing and is in no URL: it has come to rest after so long. */
export const REST_MS = 250;

/** Index of the step nearest to `step` in sorted `steps`; -1 when there is none. */
export function nearest(steps: readonly number[], step: number): number {
  let [low, high] = [0, steps.length - 1];
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - steps[low - 1]! <= steps[low]! - step ? low - 1 : low;
}

/** A window as the word of a URL, as fine as a thousandth of it. */
export function sayZoom(zoom: Zoom): string | null {
  if (!zoom) return null;
  const places = Math.min(9, Math.max(0, Math.ceil(3 - Math.log10(zoom[1] - zoom[0]))));
  return zoom.map((edge) => String(Number(edge.toFixed(places)))).join("..");
}

export function readZoom(word: string | null): Zoom {
  const [from, to, ...more] = (word ?? "").split("..").map((edge) => (edge.trim() ? Number(edge) : Number.NaN));
  if (from === undefined || to === undefined || more.length || !Number.isFinite(from) || !Number.isFinite(to))
    return null;
  return from < to ? [from, to] : null;
}
