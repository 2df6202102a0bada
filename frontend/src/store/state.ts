/** The one state object: runs, open runs, connection. Pages read it; the stream and the loaders beside this file write it. */
import { useEffect, useState } from "preact/hooks";
import type { Question } from "../api/runs";
import type { Compared, RunData } from "../live";
import type { Loaded } from "../loaded";
import type { Connection } from "../stream";
import type { Attempt, Run } from "../types";

const FRAME_MS = 250; // redraw at most four times a second

export const NEWEST = "-created_at";

export interface RunList {
  ids: string[];
  next: string | null;
  total: number;
  /** Runs that match by now but are not in the list. */
  waiting: Set<string>;
}

export const store = {
  connection: "connecting" as Connection,
  /** What the list shows, and whether it is being read. */
  question: { filter: { state: [], tag: [] }, sort: NEWEST } as Question,
  reading: 0,
  list: { state: "loading" } as Loaded<RunList>,
  rows: new Map<string, Run>(),
  open: new Map<string, Loaded<RunData>>(),
  /** The runs that somebody sees a row or the page of. */
  seen: new Set<string>(),
  attempts: new Map<string, Attempt[]>(),
  /** The runs of a page that compares them, and how many scores have come in since the start. */
  compared: new Map<string, Loaded<Compared>>(),
  scored: 0,
};

const listeners = new Set<() => void>();
let lastDraw = 0;
let timer: number | undefined; // of the next drawing, while one is due
let frame: number | undefined;

/** Tells the pages, in step with the screen. A hidden tab gets no frames and so draws nothing. */
export function changed(): void {
  if (timer !== undefined || frame !== undefined) return;
  timer = window.setTimeout(
    () => {
      timer = undefined;
      frame = requestAnimationFrame(draw);
    },
    Math.max(0, lastDraw + FRAME_MS - performance.now()),
  );
}

/** Now: what a person has asked for. It takes the place of a drawing that is due; two clocks would draw twice as often. */
export function draw(): void {
  clearTimeout(timer);
  if (frame !== undefined) cancelAnimationFrame(frame);
  timer = frame = undefined;
  lastDraw = performance.now();
  for (const listener of listeners) listener();
}

export function useStore(): typeof store {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = (): void => redraw((n) => n + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return store;
}

/** What a page shows of these runs is asked for again while they go on. */
export function useSeen(ids: readonly string[]): void {
  useEffect(() => {
    const mine = new Set(ids);
    store.seen = mine;
    return () => mine.clear();
  }, [ids.join()]);
}

/** An answer may be older than what the stream has told since: within an attempt no step goes back. */
const notBehind = (run: Run, known: Run | undefined): Run =>
  known && known.attempts === run.attempts && known.step > run.step
    ? { ...run, step: known.step, progress: known.progress }
    : run;

/** What the api has answered about a run is shown at once. */
export function put(run: Run): void {
  putRow(run);
  draw();
}

export function putRow(told: Run): void {
  const run = notBehind(told, store.rows.get(told.id));
  store.rows.set(run.id, run);
  const held = store.open.get(run.id);
  if (held?.state === "ready") {
    store.open.set(run.id, { state: "ready", value: { ...held.value, detail: { ...held.value.detail, ...run } } });
  }
  const beside = store.compared.get(run.id);
  if (beside?.state === "ready") beside.value = { ...beside.value, detail: { ...beside.value.detail, ...run } };
}
