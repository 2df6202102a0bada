/** Search in a log: how many, and from one to the next. As much of the log as is held is read first. */
import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "../../format";
import { findIn } from "../../pictures/log";
import type { ReadLog } from "../../useLog";
import { SearchField } from "../SearchField";

export interface Search {
  words: string;
  /** [line, column] of each, in order. */
  found: [number, number][];
  at: number;
  /** The one that somebody went to; -1: none yet, the newest is shown. */
  asked: number;
  reading: boolean;
  /** Older lines are not held, so they were not searched. */
  partly: boolean;
  go: (by: number) => void;
}

/** Lines that were searched are not searched again as the log grows. */
export function useSearch(read: ReadLog, words: string): Search {
  const held = useRef({ log: read.log, words: "", epoch: -1, upTo: 0, found: [] as [number, number][] });
  const [at, setAt] = useState(-1);
  const [reading, setReading] = useState(false);
  const { log } = read;
  const now = held.current;
  if (now.log !== log || now.words !== words || now.epoch !== log.epoch)
    held.current = { log, words, epoch: log.epoch, upTo: 0, found: [] };
  const mine = held.current;
  if (mine.upTo < log.settled) {
    for (const place of findIn(log, words, mine.upTo, log.settled)) mine.found.push(place);
    mine.upTo = log.settled;
  }
  useEffect(() => setAt(-1), [words, log]);
  const older = useRef(read.older);
  older.current = read.older;
  const ready = read.state !== "loading";
  useEffect(() => {
    if (!words || !ready) return;
    let current = true;
    const all = async (): Promise<void> => {
      setReading(true);
      while (current && (await older.current()) > 0);
      if (current) setReading(false);
    };
    void all().catch(() => current && setReading(false));
    return () => {
      current = false;
    };
  }, [words, log, ready]);
  const size = mine.found.length;
  const shown = size === 0 ? -1 : at < 0 || at >= size ? size - 1 : at; // the newest first
  return {
    words,
    found: mine.found,
    at: shown,
    asked: at,
    reading,
    partly: read.from > 0,
    go: (by) => size > 0 && setAt((shown + by + size) % size),
  };
}

export function LogSearch({ search, query }: { search: Search; query: URLSearchParams }) {
  const { words, found, at, reading, partly, go } = search;
  const said = found.length ? `${count(at + 1)} of ${count(found.length)}` : reading ? "" : "not found";
  return (
    <>
      <SearchField label="Search" word="find" query={query} />
      {words && (
        <span class="log-found">
          <span role="status">
            {reading ? `${said} reading older lines…` : partly ? `${said} in the newest lines` : said}
          </span>
          <button type="button" class="quiet" disabled={found.length === 0} onClick={() => go(-1)}>
            previous
          </button>
          <button type="button" class="quiet" disabled={found.length === 0} onClick={() => go(1)}>
            next
          </button>
        </span>
      )}
    </>
  );
}
