/** What a page reads for itself: lists and details that no event changes. What events change lives in the store. */
import { useCallback, useEffect, useState } from "preact/hooks";

export type Loaded<T> = { state: "loading" } | { state: "error"; error: Error } | { state: "ready"; value: T };

export const asError = (e: unknown): Error => (e instanceof Error ? e : new Error(String(e)));

/** Reads when the page opens and whenever one of `inputs` changes; what is shown stays until the new answer is there.
 *  An answer that was overtaken by a later question is dropped. */
export function useLoaded<T>(read: () => Promise<T>, inputs: readonly unknown[]): [Loaded<T>, () => void] {
  const [loaded, set] = useState<Loaded<T>>({ state: "loading" });
  const [again, ask] = useState(0);
  useEffect(() => {
    let current = true;
    read().then(
      (value) => current && set({ state: "ready", value }),
      (e: unknown) => current && set({ state: "error", error: asError(e) }),
    );
    return () => {
      current = false;
    };
  }, [...inputs, again]);
  return [loaded, useCallback(() => ask((n) => n + 1), [])];
}
