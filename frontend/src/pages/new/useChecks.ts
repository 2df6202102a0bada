/** Dry runs of what the form says by now, a moment after the last change. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Checked, checkSpec, type Gpu } from "../../api/specs";
import { asError } from "../../loaded";
import type { Json } from "../../spec/draft";

const CALM_MS = 400;

export interface Checks {
  /** Of each spec; what was last said stays until it is said anew. */
  results: Checked[];
  busy: boolean;
  error: Error | null;
}

export function useChecks(
  specs: Json[],
  gpu: Gpu | null,
  may: boolean,
): [Checks, (results: Checked[]) => void, () => void] {
  const [checks, set] = useState<Checks>({ results: [], busy: may, error: null });
  const [again, ask] = useState(0);
  const asked = JSON.stringify(specs);
  const first = useRef(true);
  useEffect(() => {
    if (!may) return;
    let current = true;
    set((before) => ({ ...before, busy: true }));
    const wait = first.current ? 0 : CALM_MS;
    first.current = false;
    const timer = setTimeout(() => {
      Promise.all(specs.map((spec) => checkSpec(spec, gpu))).then(
        (results) => current && set({ results, busy: false, error: null }),
        (e: unknown) => current && set((before) => ({ ...before, busy: false, error: asError(e) })),
      );
    }, wait);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [asked, gpu, may, again]);
  return [checks, (results) => set({ results, busy: false, error: null }), () => ask((n) => n + 1)];
}
