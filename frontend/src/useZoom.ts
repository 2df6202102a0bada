/** The window of steps that the pictures of a page share, kept in the URL as `zoom=from..to`. It moves at once; the URL
 *  follows when it rests, since browsers bound how often it may change. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { REST_MS, readZoom, sayZoom, type Zoom } from "./cursor";
import { setQuery } from "./router";

/** `unit` is what a window counts: it is dropped with another, where 10 to 20 is another place. */
export function useZoom(query: URLSearchParams, unit = ""): [Zoom, (zoom: Zoom) => void] {
  const word = query.get("zoom");
  const [zoom, set] = useState(() => readZoom(word));
  const known = useRef({ word, unit });
  const timer = useRef<number | undefined>(undefined);
  const onZoom = useCallback((next: Zoom): void => {
    set(next);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      known.current.word = sayZoom(next);
      setQuery("zoom", known.current.word);
    }, REST_MS);
  }, []);
  useEffect(() => {
    const before = known.current;
    known.current = { word, unit };
    if (word !== before.word) {
      // A link, or the way back.
      clearTimeout(timer.current);
      set(readZoom(word));
    } else if (unit !== before.unit) onZoom(null);
  }, [word, unit]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return [zoom, onZoom];
}
