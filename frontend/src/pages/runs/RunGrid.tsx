/** The list of runs as a grid of which only the rows near the screen are drawn. The page itself scrolls. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { rowByKey, scrollBy, span, windowOf } from "../../pictures/rows";
import { navigate } from "../../router";
import { loadMoreRuns } from "../../store/list";
import { type RunList, store, useSeen } from "../../store/state";
import type { Run } from "../../types";
import { GridHead } from "./GridHead";
import { RunRow } from "./RunRow";

const NARROW = matchMedia("(max-width: 900px)");
const rowHeightNow = (): number => (NARROW.matches ? 178 : 66);
const AHEAD = 40; // rows that are read before one comes to them
const BELOW = 64; // the bar of the selection may cover this

interface Props {
  list: RunList;
  sort: string;
  selected: ReadonlySet<string>;
  onSelect: (selected: Set<string>) => void;
}

export function RunGrid({ list, sort, selected, onSelect }: Props) {
  const body = useRef<HTMLDivElement>(null);
  const [rowHeight, setRowHeight] = useState(rowHeightNow);
  const [[first, last], setWindow] = useState<[number, number]>([0, 20]);
  const [active, setActive] = useState(0);
  const [failed, setFailed] = useState(false);
  const anchor = useRef(0); // where a range of selected rows begins
  const focus = useRef(false); // the active row shall have it once it is drawn
  const count = list.total;

  useLayoutEffect(() => {
    const look = (): void => {
      setRowHeight(rowHeightNow());
      const top = -(body.current?.getBoundingClientRect().top ?? 0);
      const next = windowOf(top, innerHeight, rowHeightNow(), count);
      setWindow((held) => (held[0] === next[0] && held[1] === next[1] ? held : next));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [count]);

  useEffect(() => {
    if (failed || !list.next || last + AHEAD < list.ids.length) return;
    loadMoreRuns().catch(() => setFailed(true));
  }, [last, list.ids.length, list.next, failed, store.reading]);

  // A run that comes in on top moves the others down; the active row stays the same run.
  const held = useRef<string | undefined>(undefined);
  const activeNow = held.current && list.ids[active] !== held.current ? list.ids.indexOf(held.current) : active;
  const at = Math.min(activeNow < 0 ? active : activeNow, Math.max(0, count - 1));
  held.current = list.ids[at];
  useLayoutEffect(() => {
    if (at !== active) setActive(at);
    if (!focus.current) return;
    const row = body.current?.querySelector<HTMLElement>(`[aria-rowindex="${at + 2}"]`);
    row?.focus({ preventScroll: true });
    if (list.ids[at]) focus.current = false; // the place of a run that is still read gives the focus on to it
  });

  const activate = (row: number): void => {
    held.current = list.ids[row];
    setActive(row);
  };
  const goTo = (row: number): void => {
    activate(row);
    focus.current = true;
    const top = body.current!.getBoundingClientRect().top + row * rowHeight;
    const by = scrollBy(top, top + rowHeight, NARROW.matches ? 0 : 40, innerHeight - BELOW);
    if (by) scrollTo(0, scrollY + by);
  };
  const toggle = (row: number, range: boolean): void => {
    const ids = (range ? span(list.ids, anchor.current, row) : [list.ids[row]]).filter((id) => id !== undefined);
    const next = new Set(selected);
    const wanted = !selected.has(list.ids[row]!);
    for (const id of ids) wanted || range ? next.add(id) : next.delete(id);
    anchor.current = row;
    onSelect(next);
  };
  const keys = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input:not([type=checkbox]), textarea"))
      return;
    const to = rowByKey(event.key, at, count, Math.max(1, Math.floor((innerHeight - 140) / rowHeight)));
    if (to !== null) goTo(to);
    else if (target.role !== "row" || !list.ids[at]) return;
    else if (event.key === "Enter") navigate(`/runs/${list.ids[at]}`);
    else if (event.key === " " || event.key.toLowerCase() === "x") toggle(at, event.shiftKey);
    else return;
    event.preventDefault();
  };

  const drawn = Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
  if (count > 0 && (at < first || at >= last)) drawn.push(at); // the focus must not fall out of the page
  useSeen(drawn.flatMap((row) => list.ids[row] ?? []));
  return (
    <div
      class="card run-grid"
      role="grid"
      aria-label="Runs"
      aria-rowcount={count + 1}
      aria-multiselectable="true"
      aria-busy={store.reading > 0}
      onKeyDown={keys}
    >
      <GridHead
        sort={sort}
        all={list.ids.length > 0 && list.ids.every((id) => selected.has(id))}
        some={selected.size > 0}
        onAll={(all) => onSelect(new Set(all ? list.ids : []))}
      />
      <div class="run-rows" role="rowgroup" ref={body} style={{ height: `${count * rowHeight}px` }}>
        {drawn.map((row) => {
          const run: Run | undefined = store.rows.get(list.ids[row] ?? "");
          const place = { index: row, top: row * rowHeight, height: rowHeight, active: row === at };
          if (!run) return <Pending key={row} {...place} />;
          return (
            <RunRow
              key={run.id}
              run={run}
              {...place}
              selected={selected.has(run.id)}
              onToggle={(range) => {
                goTo(row);
                toggle(row, range);
              }}
              onFocus={() => activate(row)}
              onBack={() => goTo(row)}
            />
          );
        })}
      </div>
      {failed && (
        <p class="notice error" role="alert">
          Older runs could not be read.{" "}
          <button type="button" onClick={() => setFailed(false)}>
            Try again
          </button>
        </p>
      )}
    </div>
  );
}

interface Place {
  index: number;
  top: number;
  height: number;
  active: boolean;
}

const Pending = ({ index, top, height, active }: Place) => (
  <div
    class="run-row pending"
    role="row"
    aria-rowindex={index + 2}
    tabIndex={active ? 0 : -1}
    style={{ top: `${top}px`, height: `${height}px` }}
  >
    <div role="gridcell">
      <span class="muted">reading…</span>
    </div>
  </div>
);
