import { setQuery } from "../router";

interface Props<Value extends string> {
  label: string;
  /** The word of the URL that holds the choice; the first option is meant when it is absent. */
  word: string;
  options: readonly (readonly [Value, string])[];
  value: Value;
}

/** One of a few, side by side, kept in the URL. */
export function Segments<Value extends string>({ label, word, options, value }: Props<Value>) {
  return (
    <span class="segments" role="group" aria-label={label}>
      {options.map(([option, said], i) => (
        <button
          key={option}
          type="button"
          aria-pressed={option === value}
          onClick={() => setQuery(word, i === 0 ? null : option)}
        >
          {said}
        </button>
      ))}
    </span>
  );
}
