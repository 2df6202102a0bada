/** The board: every run's scores with their intervals, and only like compared with like. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { getBoard } from "../api/board";
import { Failed } from "../components/parts";
import { useSlow } from "../components/slow";
import { useLoaded } from "../loaded";
import { lineName, scoreSets } from "../pictures/board";
import type { PageProps } from "../routes";
import { useStore } from "../store/state";
import type { Board } from "../types";
import { BoardFigure } from "./benchmarks/BoardFigure";
import { type BoardChoice, BoardFilters, boardChoice } from "./benchmarks/BoardFilters";
import { MarkdownButton } from "./benchmarks/MarkdownButton";
import "./Benchmarks.css";

const PAGE = 100; // rows

/** As many pages of the board as are wanted, as one. */
async function readBoard(choice: BoardChoice, pages: number): Promise<Board> {
  const { benchmark, tag, order, method, sweep, baseline, at, group, published } = choice;
  const asked = {
    ...{ method, sweep, baseline, at, group, published, limit: PAGE },
    benchmark: benchmark ? [benchmark] : [],
    tag: tag ? [tag] : [],
    sort: order === "newest" ? "-created_at" : "-score",
  } as const;
  const board = await getBoard(asked);
  for (let page = 1; page < pages && board.next_cursor; page += 1) {
    const more = await getBoard(asked, board.next_cursor);
    board.data.push(...more.data);
    board.next_cursor = more.next_cursor;
    board.settings = { ...board.settings, ...more.settings };
  }
  return board;
}

export default function Benchmarks({ query }: PageProps) {
  const choice = boardChoice(query);
  const asked = JSON.stringify(choice);
  const [pages, setPages] = useState(1);
  const scored = useSlow(useStore().scored, 1000);
  const [loaded, again] = useLoaded(() => readBoard(choice, pages), [asked], `${pages} ${scored}`);
  useEffect(() => {
    document.title = "Benchmarks · TRAPO";
  }, []);
  const board = loaded.state === "ready" ? loaded.value : null;
  const sets = useMemo(() => (board ? scoreSets(board, choice.order) : []), [board, choice.order]);
  const rows = (board?.data ?? []).flatMap((line) =>
    line.runs[0] ? [{ id: line.runs[0].id, name: lineName(line) }] : [],
  );
  // A filter leaves only what it lets through: what was there before can still be chosen.
  const known = useRef(new Set<string>());
  for (const set of sets) known.current.add(set.benchmark);
  const filtered = choice.benchmark || choice.method || choice.tag || choice.sweep;
  return (
    <main id="main" class="board-page" aria-busy={loaded.state === "loading"}>
      <div class="board-head">
        <h1>Benchmarks</h1>
        {sets.length > 0 && <MarkdownButton sets={sets} />}
      </div>
      <BoardFilters query={query} choice={choice} benchmarks={[...known.current].sort()} rows={rows} />
      <Failed of={loaded} again={again} />
      {loaded.state === "loading" && (
        <div class="card skeleton tall" role="status" aria-label="Reading the board">
          <div />
          <div />
        </div>
      )}
      {board && sets.length === 0 && (
        <div class="card empty">
          <h2>{filtered ? "No scores match" : "No scores yet"}</h2>
          <p>
            {filtered
              ? "No run with scores has all that is asked for above."
              : "Scores appear here when a run with an evaluation in its spec, or one of kind eval, has been evaluated."}
          </p>
        </div>
      )}
      {board && sets.length > 0 && !choice.baseline && (
        <p class="muted">
          Grey: the interval overlaps that of the best. Choose a baseline to see differences in pairs, which tell more
          apart.
        </p>
      )}
      {sets.map((set) => (
        <BoardFigure key={`${set.benchmark} ${set.metric}`} set={set} flattered={choice.at === "best"} />
      ))}
      {board?.next_cursor && (
        <button type="button" onClick={() => setPages(pages + 1)}>
          More runs
        </button>
      )}
    </main>
  );
}
