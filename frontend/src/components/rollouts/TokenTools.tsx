/** By what tokens are coloured, and what the colours mean. */
import { type Measure, SCALES } from "../../pictures/tokens";
import { setQuery } from "../../router";
import type { Show } from "./LongText";

export const measureOf = (query: URLSearchParams): Measure | null => {
  const word = query.get("colour") ?? "p";
  return word in SCALES ? (word as Measure) : null;
};

export const showOf = (query: URLSearchParams): Show => {
  const word = query.get("show");
  return word === "blanks" || word === "formulas" ? word : "text";
};

export function TokenTools({ query }: { query: URLSearchParams }) {
  const measure = measureOf(query);
  const show = showOf(query);
  const names = Object.keys(SCALES) as Measure[];
  return (
    <div class="token-tools">
      <div class="segments" role="group" aria-label="Colour of tokens">
        {names.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={measure === name}
            onClick={() => setQuery("colour", name === "p" ? null : name)}
          >
            {SCALES[name].title}
          </button>
        ))}
        <button type="button" aria-pressed={measure === null} onClick={() => setQuery("colour", "none")}>
          none
        </button>
      </div>
      <label class="show">
        show{" "}
        <select
          value={show}
          onChange={(e) => setQuery("show", e.currentTarget.value === "text" ? null : e.currentTarget.value)}
        >
          <option value="text">text as it is</option>
          <option value="blanks">blanks and newlines</option>
          <option value="formulas">formulas drawn</option>
        </select>
      </label>
      {measure && <ScaleLegend measure={measure} />}
    </div>
  );
}

function ScaleLegend({ measure }: { measure: Measure }) {
  const { title, note, labels, tints } = SCALES[measure];
  return (
    <div class="scale" role="group" aria-label={`Colours of ${title}`}>
      <ol>
        {labels.map((label, i) => (
          <li key={label} class={tints[i]}>
            {label}
          </li>
        ))}
      </ol>
      <span class="muted">
        {title}: {note}
      </span>
    </div>
  );
}
