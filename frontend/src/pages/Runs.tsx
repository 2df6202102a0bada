/** All runs: a filter, a sort, a grid, and what can be done with several at once. Filter and sort are in the URL. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { listMethods, type Question } from "../api/runs";
import { Failure } from "../components/parts";
import { parse } from "../filter/filter";
import { matches } from "../filter/matches";
import { count } from "../format";
import { useLoaded } from "../loaded";
import { setQuery } from "../router";
import type { PageProps } from "../routes";
import { loadRuns } from "../store/list";
import { NEWEST, type RunList, store, useStore } from "../store/state";
import { BulkBar } from "./runs/BulkBar";
import { FilterBox } from "./runs/FilterBox";
import { isSort, SortBox } from "./runs/GridHead";
import { FirstRun, NothingMatches, Skeleton } from "./runs/Nothing";
import { RunGrid } from "./runs/RunGrid";
import "./Runs.css";

/** Where one was when one left the page, for the same question. */
const left = { asked: "", scroll: 0 };

export default function RunsPage({ query }: PageProps) {
  const { list, rows, connection } = useStore();
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const [methods] = useLoaded(listMethods, []);
  const text = query.get("q") ?? "";
  const sort = isSort(query.get("sort") ?? "") ? query.get("sort")! : NEWEST;
  const { filter, problems } = parse(text);
  // A filter that cannot be read leaves the list as it is.
  const asked = JSON.stringify(problems.length ? store.question : ({ filter, sort } satisfies Question));

  useEffect(() => {
    document.title = "Runs · TRAPO";
  }, []);
  useEffect(() => {
    const question = JSON.parse(asked) as Question;
    const same = asked === JSON.stringify(store.question);
    if (!same) setSelected(new Set());
    if (!same || list.state !== "ready") void loadRuns(question);
  }, [asked]);
  useScroll(asked, list.state === "ready");

  const ready = list.state === "ready" ? list.value : null;
  const runs = [...selected].flatMap((id) => rows.get(id) ?? []);
  const seen = useMemo(
    () => ({
      methods: methods.state === "ready" ? methods.value.data.map((method) => method.name) : [],
      tags: distinct([...rows.values()].flatMap((run) => run.tags)),
      people: distinct([...rows.values()].map((run) => run.created_by)),
    }),
    [methods, rows.size, text, runs.length],
  );
  return (
    <main id="main" class={`runs-page${runs.length ? " choosing" : ""}`} aria-busy={list.state === "loading"}>
      <div class="runs-title">
        <h1>Runs</h1>
        {ready && (
          <span class="muted" role="status">
            {count(ready.total)} {ready.total === 1 ? "run" : "runs"}
            {text && !problems.length && (ready.total === 1 ? " matches" : " match")}
          </span>
        )}
      </div>
      <div class="runs-tools">
        <FilterBox value={text} problems={problems} seen={seen} onChange={(next) => setQuery("q", next || null)} />
        <SortBox sort={sort} />
      </div>
      {ready && <Changed list={ready} />}
      {connection === "offline" && ready && (
        <p class="calm">No connection to the service: this is the list as it was. It goes on by itself.</p>
      )}
      {list.state === "loading" && <Skeleton />}
      {list.state === "error" && <Failure error={list.error} again={() => void loadRuns()} />}
      {ready && ready.total > 0 && <RunGrid list={ready} sort={sort} selected={selected} onSelect={setSelected} />}
      {ready?.total === 0 && (text ? <NothingMatches filter={text} /> : <FirstRun />)}
      <BulkBar runs={runs} tags={seen.tags} onClear={() => setSelected(new Set())} />
    </main>
  );
}

const distinct = (values: string[]): string[] => [...new Set(values)].sort();

/** What the list would be if it were read now, said calmly: rows do not jump away under the eye. */
function Changed({ list }: { list: RunList }) {
  const gone = list.ids.filter((id) => !matches(store.rows.get(id)!, store.question.filter)).length;
  const more = list.waiting.size;
  if (!gone && !more) return null;
  const parts = [
    gone && `${count(gone)} shown no longer ${gone === 1 ? "matches" : "match"}`,
    more && `${count(more)} more ${more === 1 ? "matches" : "match"} by now`,
  ];
  return (
    <p class="calm" role="status">
      {parts.filter(Boolean).join("; ")}.{" "}
      <button type="button" class="quiet" onClick={() => void loadRuns()}>
        read again
      </button>
    </p>
  );
}

/** Back on the page, one is where one was. */
function useScroll(asked: string, ready: boolean): void {
  const place = useRef(asked);
  place.current = asked;
  useLayoutEffect(() => {
    if (!ready) return;
    if (left.asked === asked && left.scroll > 0) {
      const { scroll } = left;
      scrollTo(0, scroll);
      // The browser's own idea of the place, after a step back, was of a page that had no rows yet.
      requestAnimationFrame(() => scrollTo(0, scroll));
    }
    const note = (): void => {
      left.asked = place.current;
      left.scroll = scrollY;
    };
    addEventListener("scroll", note, { passive: true });
    return () => removeEventListener("scroll", note);
  }, [ready]);
}
