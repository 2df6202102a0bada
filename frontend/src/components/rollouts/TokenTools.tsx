/** By what tokens are coloured, and what the colours mean. */
import { type Measure, SCALES } from "../../pictures/tokens";
import { setQuery } from "../../router";

export const measureOf = (query: URLSearchParams): Measure | null => {
  const word = query.get("colour") ?? "p";
  return word in SCALES ? (word as Measure) : null;
};

export function TokenTools({ query }: { query: URLSearchParams }) {
  const measure = measureOf(query);
  const marks = query.get("blanks") === "shown";
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
      <label class="check">
        <input type="checkbox" checked={marks} onChange={() => setQuery("blanks", marks ? null : "shown")} />
        show blanks and newlines
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
