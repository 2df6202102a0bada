/** A word of the URL as a field that asks when one stops typing. */
import { useEffect, useId, useState } from "preact/hooks";
import { setQuery } from "../router";
import "./SearchField.css";

const PAUSE_MS = 350;

export function SearchField({ label, word, query }: { label: string; word: string; query: URLSearchParams }) {
  const held = query.get(word) ?? "";
  const [text, setText] = useState(held);
  const id = useId();
  useEffect(() => setText(held), [held]);
  useEffect(() => {
    if (text === held) return;
    const soon = setTimeout(() => setQuery(word, text || null), PAUSE_MS);
    return () => clearTimeout(soon);
  }, [text]);
  return (
    <span class="search-field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="search"
        maxLength={200}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && setQuery(word, text || null)}
      />
    </span>
  );
}
