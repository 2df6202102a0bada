/** Which runs are on the board, and what they are held against; every choice is in the URL. */
import { listSweeps } from "../../api/board";
import { listMethods } from "../../api/runs";
import { SearchField } from "../../components/SearchField";
import { Segments } from "../../components/Segments";
import { useLoaded } from "../../loaded";
import type { Order } from "../../pictures/board";
import { setQuery } from "../../router";

export interface BoardChoice {
  benchmark: string | null;
  method: string | null;
  tag: string | null;
  sweep: string | null;
  baseline: string | null;
  at: "last" | "best";
  group: "none" | "seeds";
  published: boolean;
  order: Order;
}

export function boardChoice(query: URLSearchParams): BoardChoice {
  const sort = query.get("sort");
  return {
    benchmark: query.get("benchmark"),
    method: query.get("method"),
    tag: query.get("tag")?.trim() || null,
    sweep: query.get("sweep"),
    baseline: query.get("baseline"),
    at: query.get("at") === "best" ? "best" : "last",
    group: query.get("group") === "none" ? "none" : "seeds",
    published: query.get("published") === "1",
    order: sort === "newest" || sort === "difference" ? sort : "score",
  };
}

interface Props {
  query: URLSearchParams;
  choice: BoardChoice;
  /** By name, what can be chosen. */
  benchmarks: readonly string[];
  rows: readonly { id: string; name: string }[];
}

export function BoardFilters({ query, choice, benchmarks, rows }: Props) {
  const [methods] = useLoaded(listMethods, []);
  const [sweeps] = useLoaded(listSweeps, []);
  const named = (names: readonly string[]): [string, string][] => names.map((name) => [name, name]);
  const known = methods.state === "ready" ? named(methods.value.data.map((one) => one.name)) : [];
  const swept = sweeps.state === "ready" ? sweeps.value.data.map((one): [string, string] => [one.id, one.name]) : [];
  return (
    <div class="board-filters" role="group" aria-label="What the board shows">
      <Choice label="benchmark" value={choice.benchmark} none="all" options={named(benchmarks)} />
      <Choice label="method" value={choice.method} none="any" options={known} />
      {(swept.length > 0 || choice.sweep) && <Choice label="sweep" value={choice.sweep} none="any" options={swept} />}
      <SearchField label="tag" word="tag" query={query} />
      <Choice
        label="baseline"
        value={choice.baseline}
        none="none"
        options={rows.map(({ id, name }): [string, string] => [id, name])}
      />
      <Segments
        label="Runs that differ only in their seed"
        word="group"
        value={choice.group}
        options={[
          ["seeds", "seeds as one"],
          ["none", "each seed"],
        ]}
      />
      <Segments
        label="Which evaluation"
        word="at"
        value={choice.at}
        options={[
          ["last", "last"],
          ["best", "best"],
        ]}
      />
      <Segments
        label="Order"
        word="sort"
        value={choice.order}
        options={[
          ["score", "by score"],
          ["difference", "by difference"],
          ["newest", "newest"],
        ]}
      />
      <label>
        <input
          type="checkbox"
          checked={choice.published}
          onChange={(e) => setQuery("published", e.currentTarget.checked ? "1" : null)}
        />{" "}
        the paper's table
      </label>
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string | null;
  none: string;
  options: readonly [string, string][];
}

function Choice({ label, value, none, options }: ChoiceProps) {
  const all = value && !options.some(([id]) => id === value) ? [...options, [value, value] as const] : options;
  return (
    <label>
      {label}{" "}
      <select value={value ?? ""} onChange={(e) => setQuery(label, e.currentTarget.value || null)}>
        <option value="">{none}</option>
        {all.map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
