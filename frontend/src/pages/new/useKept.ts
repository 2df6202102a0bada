/** The form's state, kept for this tab: it survives a reload, a way elsewhere and back, and a session that ended. */
import { useEffect, useState } from "preact/hooks";
import type { Json } from "../../spec/draft";
import type { Axis } from "../../spec/sweep";

export interface Kept {
  drafts: Json[];
  priority: string;
  seeds: string;
  /** Fields of a sweep. */
  axes: Axis[];
  /** Idempotency keys by what was sent with them. */
  keys: Record<string, string>;
}

const place = (key: string): string => `new:${key}`;
let failed = false;

export function useKept(key: string, drafts: Json[]): [Kept, (change: Partial<Kept>) => void, () => void] {
  const fresh: Kept = { drafts, priority: "0", seeds: "", axes: [], keys: {} };
  const [kept, set] = useState<Kept>(() => ({ ...fresh, ...recall(key) }));
  // Only what could not be kept would be lost with the page.
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent): void => {
      if (failed) event.preventDefault();
    };
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, []);
  const change = (part: Partial<Kept>): void =>
    set((before) => {
      const after = { ...before, ...part };
      keep(key, after);
      return after;
    });
  const forget = (): void => {
    sessionStorage.removeItem(place(key));
    failed = false;
    set(fresh);
  };
  return [kept, change, forget];
}

function recall(key: string): Kept | null {
  try {
    const text = sessionStorage.getItem(place(key));
    const found = text ? (JSON.parse(text) as Kept) : null;
    return found && Array.isArray(found.drafts) && found.drafts.length > 0 ? found : null;
  } catch {
    return null;
  }
}

function keep(key: string, kept: Kept): void {
  try {
    sessionStorage.setItem(place(key), JSON.stringify(kept));
    failed = false;
  } catch {
    failed = true;
  }
}
