/** Which events are shown; every choice is in the URL. */
import { useId, useState } from "preact/hooks";
import { localTime, words } from "../format";
import { KINDS } from "../pictures/happenings";
import { setQuery } from "../router";
import { SearchField } from "./SearchField";

const WORDS = ["kind", "contains", "step", "time"];

export function EventTools({ query }: { query: URLSearchParams }) {
  const set = WORDS.some((word) => query.has(word));
  return (
    <div class="event-tools" role="search" aria-label="Filter events">
      <label>
        Kind
        <select value={query.get("kind") ?? ""} onChange={(e) => setQuery("kind", e.currentTarget.value || null)}>
          <option value="">what happened</option>
          <option value="all">everything, each step too</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {words(kind)}
            </option>
          ))}
        </select>
      </label>
      <SearchField label="Text" word="contains" query={query} />
      <GoTo label="Go to step" word="step" type="number" query={query} />
      <GoTo label="or time" word="time" type="datetime-local" query={query} />
      {set && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            for (const word of WORDS) setQuery(word, null);
          }}
        >
          clear
        </button>
      )}
    </div>
  );
}

interface GoToProps {
  label: string;
  word: string;
  type: "number" | "datetime-local";
  query: URLSearchParams;
}

/** Goes when one presses Enter or leaves the field: half a number is another place. */
function GoTo({ label, word, type, query }: GoToProps) {
  const time = type !== "number";
  const held = time ? localTime(query.get(word)) : (query.get(word) ?? "");
  const [typed, setTyped] = useState<string | null>(null);
  const id = useId();
  const go = (): void => {
    if (typed !== null && typed !== held) setQuery(word, time && typed ? new Date(typed).toISOString() : typed || null);
    setTyped(null);
  };
  return (
    <label for={id}>
      {label}
      <input
        id={id}
        type={type}
        min={time ? undefined : 0}
        value={typed ?? held}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && go()}
        onBlur={go}
      />
    </label>
  );
}
