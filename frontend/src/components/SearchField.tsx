/** A word of the URL as a labelled search field. */
import { useId } from "preact/hooks";
import { useTyped } from "./typed";
import "./SearchField.css";

export function SearchField({ label, word, query }: { label: string; word: string; query: URLSearchParams }) {
  const id = useId();
  return (
    <span class="search-field">
      <label for={id}>{label}</label>
      <input id={id} type="search" maxLength={200} {...useTyped(word, query)} />
    </span>
  );
}
