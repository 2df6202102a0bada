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
