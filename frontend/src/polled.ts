/** What is read again and again while somebody looks: no events tell of it. */
import { useEffect } from "preact/hooks";
import { type Loaded, useLoaded } from "./loaded";

export interface Polled<T> {
  loaded: Loaded<T>;
  again: () => void;
}

export function usePolled<T>(read: () => Promise<T>, everyMs: number): Polled<T> {
  const [loaded, again] = useLoaded(read, []);
  useEffect(() => {
    const look = (): void => {
      if (!document.hidden) again();
    };
    const timer = setInterval(look, everyMs);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [again, everyMs]);
  return { loaded, again };
}
