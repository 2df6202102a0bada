/** A value that changes with every step, for questions to the api that need not be asked so often. */
import { useEffect, useRef, useState } from "preact/hooks";
import { REST_MS } from "../cursor";

/** The value once it has come to rest. */
export function useRested<T>(value: T): T {
  const [held, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), REST_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return held;
}

/** While `awake` is false it stays as it was: nobody looks. Woken, it does not wait once more. */
export function useSlow<T>(value: T, everyMs = 5000, awake = true): T {
  const [held, set] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  const due = useRef(false);
  const last = useRef(performance.now());
  useEffect(() => {
    if (value === held || due.current || !awake) return;
    due.current = true;
    const wait = Math.max(0, last.current + everyMs - performance.now());
    setTimeout(() => {
      due.current = false;
      last.current = performance.now();
      set(latest.current);
    }, wait);
  }, [value, held, awake]);
  return held;
}
