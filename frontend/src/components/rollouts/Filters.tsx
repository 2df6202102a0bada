/** Which groups are shown; every choice is in the URL. */
import { useId, useState } from "preact/hooks";
import { oneLine } from "../../pictures/plain";
import { setQuery } from "../../router";
import { useTyped } from "../typed";

const CHOICES: { name: string; label: string; options: [value: string, words: string][] }[] = [
  {
    name: "verdict",
    label: "Groups",
    options: [
      ["", "all"],
      ["all_wrong", "all wrong"],
      ["mixed", "mixed"],
      ["all_right", "all right"],
    ],
  },
  {
    name: "guided",
    label: "Guidance",
    options: [
      ["", "any"],
      ["yes", "guided"],
      ["no", "unguided"],
    ],
  },
  {
    name: "finish",
    label: "End",
    options: [
      ["", "any"],
      ["stop", "came to its end"],
      ["length", "truncated"],
      ["expert", "whole trace"],
    ],
  },
];
const ALL = ["step", "problem", "verdict", "guided", "finish", "contains", "matches", "min", "max"];

export function clearFilters(): void {
  for (const name of ALL) setQuery(name, null);
}

export function Filters({ query }: { query: URLSearchParams }) {
  const set = ALL.filter((name) => query.get(name));
  return (
    <form class="filters" role="search" aria-label="Filter rollouts" onSubmit={(event) => event.preventDefault()}>
      {CHOICES.map(({ name, label, options }) => (
        <label key={name}>
          {label}
          <select value={query.get(name) ?? ""} onChange={(e) => setQuery(name, e.currentTarget.value || null)}>
            {options.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
      ))}
      <TextFilter query={query} />
      <Field name="min" label="Reward from" query={query} type="number" />
      <Field name="max" label="to" query={query} type="number" />
      {query.get("problem") && (
        <button type="button" class="chip-button" onClick={() => setQuery("problem", null)}>
          problem <bdi>{oneLine(query.get("problem")!)}</bdi> ×
        </button>
      )}
      {set.length > 0 && (
        <button type="button" class="quiet" onClick={clearFilters}>
          clear
        </button>
      )}
    </form>
  );
}

/** Plain words, or an expression; one of the two words of the URL. */
function TextFilter({ query }: { query: URLSearchParams }) {
  const [regex, setRegex] = useState(query.has("matches"));
  const name = regex ? "matches" : "contains";
  const turn = (on: boolean): void => {
    const text = query.get(name);
    setRegex(on);
    setQuery(name, null);
    if (text) setQuery(on ? "matches" : "contains", text);
  };
  return (
    <div class="text-filter">
      <Field key={name} name={name} label={regex ? "Text matches" : "Text contains"} query={query} type="search" />
      <label class="check" title="A regular expression, as RE2 reads it: no look-around, no back-references">
        <input type="checkbox" checked={regex} onChange={(e) => turn(e.currentTarget.checked)} />
        regex
      </label>
    </div>
  );
}

interface FieldProps {
  name: string;
  label: string;
  query: URLSearchParams;
  type: "search" | "number";
}

function Field({ name, label, query, type }: FieldProps) {
  const shared = { id: useId(), ...useTyped(name, query) };
  return (
    <label for={shared.id}>
      {label}
      {type === "number" ? (
        <input type="number" step="any" {...shared} />
      ) : (
        <input type="search" maxLength={200} {...shared} />
      )}
    </label>
  );
}
