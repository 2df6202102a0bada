/** The problems of one evaluation with what was answered: filtered, searched, a page at a time. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type AskedItems, getItems } from "../../api/evaluations";
import { count } from "../../format";
import { asError } from "../../loaded";
import { type Chosen, chosenOf } from "../../pictures/items";
import { setQuery, setWords } from "../../router";
import type { EvaluatedProblem, EvaluatedProblems, Score } from "../../types";
import { SearchField } from "../SearchField";
import { Item } from "./Item";

const SORTS = [
  ["", "all"],
  ["all_wrong", "none right"],
  ["mixed", "some right"],
  ["all_right", "all right"],
  ["better", "better than before"],
  ["worse", "worse than before"],
] as const;

const askedOf = (sort: string, contains: string | null): AskedItems => ({
  [sort === "better" || sort === "worse" ? "change" : "verdict"]: sort || undefined,
  contains: contains ?? undefined,
});

export function Answers({ id, scores, query }: { id: string; scores: readonly Score[]; query: URLSearchParams }) {
  // The one that is being read stays, though there is a newer.
  const held = useRef<string | null>(null);
  const chosen = chosenOf(scores, query.get("benchmark"), query.get("step") ?? held.current);
  if (!chosen) return null;
  held.current = `${chosen.step}`;
  return <Chooser key={`${chosen.benchmark} ${chosen.step}`} id={id} chosen={chosen} query={query} />;
}

function Chooser({ id, chosen, query }: { id: string; chosen: Chosen; query: URLSearchParams }) {
  const sort = query.get("sort") ?? "";
  const asked = askedOf(sort, query.get("contains"));
  const { page, items, error, more, again } = useItems(id, chosen, asked);
  const choose = (word: string) => (event: Event) => setQuery(word, (event.currentTarget as HTMLSelectElement).value);
  return (
    <section class="card answers" aria-labelledby="answers">
      <header class="figure-head">
        <h2 id="answers">Answers</h2>
        <div class="tools">
          {chosen.steps[0]! > chosen.step && (
            <button type="button" class="quiet" onClick={() => setWords({ step: `${chosen.steps[0]}`, item: null })}>
              newest: step {count(chosen.steps[0]!)}
            </button>
          )}
          <label>
            Benchmark
            <select value={chosen.benchmark} onChange={choose("benchmark")}>
              {chosen.benchmarks.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            Step
            <select value={chosen.step} onChange={choose("step")}>
              {chosen.steps.map((step) => (
                <option key={step} value={step}>
                  {count(step)}
                </option>
              ))}
            </select>
          </label>
        </div>
      </header>
      {error ? (
        <Refused error={error} again={again} />
      ) : !page ? (
        <p class="muted" role="status">
          Reading answers…
        </p>
      ) : (
        <>
          <div class="answer-tools">
            <Sorts page={page} sort={sort} />
            <SearchField label="Search problems and answers" word="contains" query={query} />
          </div>
          <p class="summary" role="status">
            {sayFound(page, sort !== "" || !!asked.contains)}
          </p>
          <ol class="items">
            {items.map((item) => (
              <Item key={item.place} id={id} chosen={chosen} item={item} open={query.get("item") === `${item.place}`} />
            ))}
          </ol>
          {page.next_cursor && (
            <button type="button" onClick={more}>
              Show more
            </button>
          )}
        </>
      )}
    </section>
  );
}

function Sorts({ page: { counts, before }, sort }: { page: EvaluatedProblems; sort: string }) {
  const all = counts.all_right + counts.all_wrong + counts.mixed;
  const sizes: Record<string, number> = { "": all, ...counts };
  return (
    <span class="segments wrap" role="group" aria-label="Which problems">
      {SORTS.filter(([value]) => before !== null || (value !== "better" && value !== "worse")).map(([value, words]) => (
        <button key={value} type="button" aria-pressed={value === sort} onClick={() => setQuery("sort", value || null)}>
          {words} <span class="muted">{count(sizes[value] ?? 0)}</span>
        </button>
      ))}
    </span>
  );
}

function sayFound(page: EvaluatedProblems, filtered: boolean): string {
  const total = `${count(page.total)} problem${page.total === 1 ? "" : "s"}`;
  if (filtered && page.total === 0) return "No problem is like that.";
  const since = page.before === null ? "" : ` Changes are since the evaluation at step ${count(page.before)}.`;
  return `${total}${filtered ? " found" : ""}.${since}`;
}

function Refused({ error, again }: { error: Error & { status?: number }; again: () => void }) {
  if (error.status === 404)
    return <p class="muted">The answers of this evaluation are not on this machine; only its scores are known.</p>;
  return (
    <p class="error" role="alert">
      {error.message}{" "}
      <button type="button" onClick={again}>
        Try again
      </button>
    </p>
  );
}

/** As many pages as were asked for; a new question begins anew. */
function useItems(id: string, { step, benchmark }: Chosen, asked: AskedItems) {
  const [items, setItems] = useState<EvaluatedProblem[]>([]);
  const [page, setPage] = useState<EvaluatedProblems | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const question = useRef(0);
  const read = async (cursor: string | null): Promise<void> => {
    question.current += 1;
    const mine = question.current;
    try {
      const found = await getItems(id, step, benchmark, asked, cursor);
      if (question.current !== mine) return;
      setItems((held) => (cursor ? [...held, ...found.data] : found.data));
      setPage(found);
      setError(null);
    } catch (e) {
      if (question.current === mine) setError(asError(e));
    }
  };
  useEffect(() => void read(null), [id, step, benchmark, JSON.stringify(asked)]);
  return { items, page, error, more: () => void read(page?.next_cursor ?? null), again: () => void read(null) };
}
