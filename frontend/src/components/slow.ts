/** A value that changes with every step, for questions to the api that need not be asked so often. */
import { useEffect, useRef, useState } from "preact/hooks";

export function useSlow<T>(value: T, everyMs = 5000): T {
  const [held, set] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  const due = useRef(false);
  useEffect(() => {
    if (value === held || due.current) return;
    due.current = true;
    setTimeout(() => {
      due.current = false;
      set(latest.current);
    }, everyMs);
  }, [value, held]);
  return held;
}
