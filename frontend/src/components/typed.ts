/** A word of the URL as text being typed: it is asked for when the typing rests, or at Enter, and survives what is drawn anew. */
import { useEffect, useState } from "preact/hooks";
import { setQuery } from "../router";

const PAUSE_MS = 350;

interface Typed {
  value: string;
  onInput: (event: InputEvent) => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

/** The properties of an input for the word. */
export function useTyped(word: string, query: URLSearchParams): Typed {
  const held = query.get(word) ?? "";
  const [text, setText] = useState(held);
  const ask = (): void => {
    if (text !== held) setQuery(word, text || null);
  };
  // Changed elsewhere: by a link, by the browser's back button.
  useEffect(() => setText(held), [held]);
  useEffect(() => {
    const soon = setTimeout(ask, PAUSE_MS);
    return () => clearTimeout(soon);
  }, [text]);
  return {
    value: text,
    onInput: (event) => setText((event.currentTarget as HTMLInputElement).value),
    onKeyDown: (event) => {
      if (event.key === "Enter") ask();
    },
  };
}
