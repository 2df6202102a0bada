/** What a page reads for itself: lists and details that no event changes. What events change lives in the store. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export type Loaded<T> =
  | { state: "loading" }
  | { state: "error"; error: Error }
  /** `stale`: reading it again failed; the value is that of the time `at`. */
  | { state: "ready"; value: T; stale?: { at: number; error: Error } };

export const asError = (e: unknown): Error => (e instanceof Error ? e : new Error(String(e)));

/** Reads when the page opens and whenever one of `inputs` changes; what is shown stays until the new answer is there.
 *  An answer that was overtaken by a later question is dropped. `moved` changes when the same question may have another
 *  answer: where that cannot be read, the one of before stays and says how old it is. */
export function useLoaded<T>(
  read: () => Promise<T>,
  inputs: readonly unknown[],
  moved?: unknown,
): [Loaded<T>, () => void] {
  const [loaded, set] = useState<Loaded<T>>({ state: "loading" });
  const [again, ask] = useState(0);
  const asked = JSON.stringify(inputs);
  const shown = useRef({ asked: "", at: 0 });
  useEffect(() => {
    let current = true;
    read().then(
      (value) => {
        if (!current) return;
        shown.current = { asked, at: Date.now() };
        set({ state: "ready", value });
      },
      (e: unknown) => {
        if (!current) return;
        const { at, asked: before } = shown.current;
        const error = asError(e);
        set((was) =>
          was.state === "ready" && before === asked ? { ...was, stale: { at, error } } : { state: "error", error },
        );
      },
    );
    return () => {
      current = false;
    };
  }, [asked, moved, again]);
  return [loaded, useCallback(() => ask((n) => n + 1), [])];
}
