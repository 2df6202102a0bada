/** The lines of a log of which only those near the screen are drawn. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { lineOfRow, pieces, type Rows, rowsOf } from "../../pictures/log";
import { plain } from "../../pictures/plain";
import { windowOf } from "../../pictures/rows";
import type { ReadLog } from "../../useLog";
import { useWidth } from "../canvas";
import type { Search } from "./LogSearch";

const ROW = 20; // pixels
const NEAR = 600;
const LONGEST = 5000; // characters of a row that is not wrapped

export function LogLines({ read, wrap, search }: { read: ReadLog; wrap: boolean; search: Search }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const ruler = useRef<HTMLSpanElement>(null);
  const [top, setTop] = useState(0);
  const [follows, setFollows] = useState(true);
  const { log, from } = read;
  const character = (ruler.current?.getBoundingClientRect().width ?? 0) / 10 || 7.8;
  const columns = wrap ? Math.max(20, Math.floor((width - 34) / character)) : 0;
  const grown = useRef<Rows | null>(null);
  grown.current = rowsOf(log, columns, grown.current);
  const { starts } = grown.current;
  const rows = starts[starts.length - 1]!;

  const scroll = (): void => {
    const el = box.current!;
    setTop(el.scrollTop);
    setFollows(el.scrollHeight - el.scrollTop - el.clientHeight < ROW * 2);
    if (el.scrollTop < NEAR && from > 0) void read.older().catch(() => {}); // scrolling again asks again
  };
  // Lines that come in or go above leave those on the screen where they are.
  const before = useRef({ log, gone: log.gone, starts, columns });
  useLayoutEffect(() => {
    const el = box.current!;
    const was = before.current;
    if (follows) el.scrollTop = el.scrollHeight;
    else if (was.log === log && was.columns === columns && was.gone !== log.gone) {
      const gone = log.gone - was.gone;
      el.scrollTop += ROW * (gone < 0 ? starts[-gone]! : -(was.starts[gone] ?? 0));
    }
    before.current = { log, gone: log.gone, starts, columns };
  }, [rows, log, log.epoch, columns]);

  const place = search.found[search.at];
  const none = !place; // one that is printed meanwhile is counted, and moves nobody
  useEffect(() => {
    if (!place) return;
    const row = starts[place[0]]! + (columns ? Math.floor(place[1] / columns) : 0);
    setFollows(false);
    box.current!.scrollTop = row * ROW - box.current!.clientHeight / 2;
  }, [search.words, search.asked, none, columns]);

  const [first, last] = windowOf(top, box.current?.clientHeight ?? 600, ROW, rows, 20);
  return (
    <div class="log-frame">
      <div
        ref={box}
        class={`log-box ${wrap ? "" : "wide"}`}
        role="region"
        aria-label="Lines"
        tabIndex={0}
        onScroll={scroll}
      >
        <span ref={ruler} class="log-ruler" aria-hidden="true">
          0123456789
        </span>
        {read.state === "loading" ? (
          <p class="muted">Reading…</p>
        ) : rows === 0 ? (
          <p class="muted">Nothing was printed.</p>
        ) : (
          <div class="log-rows" style={{ height: `${rows * ROW}px` }}>
            <div style={{ transform: `translateY(${first * ROW}px)` }}>
              {Array.from({ length: last - first }, (_, i) => (
                <Row key={first + i} row={first + i} starts={starts} read={read} columns={columns} search={search} />
              ))}
            </div>
          </div>
        )}
      </div>
      {!follows && (
        <button type="button" class="to-end" onClick={() => box.current!.scrollTo(0, box.current!.scrollHeight)}>
          to the end
        </button>
      )}
    </div>
  );
}

interface RowProps {
  row: number;
  starts: readonly number[];
  read: ReadLog;
  columns: number;
  search: Search;
}

function Row({ row, starts, read, columns, search: { words, found, at } }: RowProps) {
  const line = lineOfRow(starts, row);
  const text = read.log.line(line);
  const begin = (row - starts[line]!) * columns;
  const end = columns ? begin + columns : LONGEST;
  const hits = words ? columnsIn(found, line) : [];
  const current = found[at]?.[0] === line ? found[at]![1] : null;
  return (
    <div class="log-row">
      {pieces(text, begin, end, hits, words.length, current).map(({ text, mark }, i) =>
        mark ? (
          <mark key={i} class={mark === 2 ? "current" : ""}>
            {plain(text)}
          </mark>
        ) : (
          plain(text)
        ),
      )}
    </div>
  );
}

/** Where the matches of one line begin; `found` is sorted. */
function columnsIn(found: readonly [number, number][], line: number): number[] {
  let [low, high] = [0, found.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (found[middle]![0] < line) low = middle + 1;
    else high = middle;
  }
  const columns: number[] = [];
  for (let i = low; found[i]?.[0] === line; i += 1) columns.push(found[i]![1]);
  return columns;
}
