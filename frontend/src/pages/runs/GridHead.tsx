/** Names of the columns; those that the api can sort by are buttons. */
import { Hint } from "../../components/Hint";
import { FACTS } from "../../meanings";
import { setQuery } from "../../router";
import { NEWEST } from "../../store/state";

const COLUMNS: { name: string; sort?: string; right?: boolean }[] = [
  { name: "Run", sort: "name" },
  { name: "Method" },
  { name: "State" },
  { name: "Progress" },
  { name: "Unguided reward", sort: "reward" },
  { name: "Guided", right: true },
  { name: "Score", sort: "score", right: true },
  { name: "Created", sort: "created_at", right: true },
];

/** What is best, or newest, comes first at the first press; names begin at A. */
const firstSort = (key: string): string => (key === "name" ? key : `-${key}`);
const flipped = (sort: string): string => (sort.startsWith("-") ? sort.slice(1) : `-${sort}`);

export const setSort = (sort: string): void => setQuery("sort", sort === NEWEST ? null : sort);

interface Props {
  sort: string;
  all: boolean;
  some: boolean;
  onAll: (all: boolean) => void;
}

export function GridHead({ sort, all, some, onAll }: Props) {
  const by = sort.replace("-", "");
  const way = sort.startsWith("-") ? "descending" : "ascending";
  return (
    <div class="run-head-rows" role="rowgroup">
      <div class="run-row head" role="row" aria-rowindex={1}>
        <div role="columnheader">
          <label class="check">
            <input
              type="checkbox"
              aria-label="Select all runs that have been read"
              checked={all}
              ref={(el) => {
                if (el) el.indeterminate = some && !all;
              }}
              onChange={(event) => onAll(event.currentTarget.checked)}
            />
          </label>
        </div>
        {COLUMNS.map(({ name, sort: key, right }) => (
          <div
            key={name}
            role="columnheader"
            class={right ? "right" : ""}
            aria-sort={key ? (key === by ? way : "none") : undefined}
          >
            {key ? (
              <Hint
                as="sort"
                more={FACTS[name.toLowerCase()] ?? ""}
                onPress={() => setSort(key === by ? flipped(sort) : firstSort(key))}
                text={
                  <>
                    {name}
                    <span aria-hidden="true">{key === by ? (way === "descending" ? " ↓" : " ↑") : ""}</span>
                  </>
                }
              />
            ) : FACTS[name.toLowerCase()] ? (
              <Hint text={name} more={FACTS[name.toLowerCase()]!} />
            ) : (
              name
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

const SORTS: [string, string][] = [
  ["-created_at", "newest first"],
  ["created_at", "oldest first"],
  ["-ended_at", "ended last first"],
  ["ended_at", "ended first first"],
  ["-reward", "highest reward"],
  ["reward", "lowest reward"],
  ["-score", "highest score"],
  ["score", "lowest score"],
  ["name", "name, A to Z"],
  ["-name", "name, Z to A"],
];
export const isSort = (sort: string): boolean => SORTS.some(([key]) => key === sort);

/** All sorts in one list: cards on a phone have no columns, and the end of a run has none anywhere. */
export const SortBox = ({ sort }: { sort: string }) => (
  <select aria-label="Sort by" value={sort} onChange={(event) => setSort(event.currentTarget.value)}>
    {SORTS.map(([key, name]) => (
      <option key={key} value={key}>
        {name}
      </option>
    ))}
  </select>
);
