/** What comes by the stream, and what people do, into the state. */
import * as api from "../api/runs";
import { num } from "../format";
import { applyToCompared, applyToData, applyToRun } from "../live";
import { Stream } from "../stream";
import type { RunEvent, Session } from "../types";
import { openCompared } from "./compared";
import { consider, loadRuns } from "./list";
import { openRun, reloadAttempts, tellReaders } from "./opened";
import { changed, put, putRow, store } from "./state";

const REFRESH_MS = 5000; // how often a running row is asked for its means

export async function wish(id: string, what: api.Wish): Promise<void> {
  put(await api.wish(id, what));
}

function take(event: RunEvent): void {
  const id = event.run_id;
  const row = store.rows.get(id);
  if (row) store.rows.set(id, applyToRun(row, event));
  tellReaders(event);
  const held = store.open.get(id);
  if (held?.state === "ready") {
    const missed = event.type === "step" && num(event.data.step) > held.value.detail.step + 1;
    store.open.set(id, { state: "ready", value: applyToData(held.value, event) });
    // Steps went by between our reading and the opening of the stream.
    if (missed) void openRun(id);
  }
  const beside = store.compared.get(id);
  if (beside?.state === "ready") {
    const missed = event.type === "step" && num(event.data.step) > beside.value.detail.step + 1;
    store.compared.set(id, { state: "ready", value: applyToCompared(beside.value, event) });
    if (missed) void openCompared(id);
  }
  if (event.type === "score") store.scored += 1;
  if (event.type === "run_created") void refresh(id, 0, true);
  else if (event.type === "run_state" || event.type === "score") void refresh(id, 0);
  else if (event.type === "step" && store.seen.has(id)) void refresh(id, REFRESH_MS);
  if (event.type === "attempt_started" || event.type === "attempt_lost" || event.type === "ended")
    void reloadAttempts(id);
  changed();
}

const asked = new Map<string, number>(); // when

/** Asks for one row again: its means, advice and times are the api's to tell. */
async function refresh(id: string, notWithinMs: number, created = false): Promise<void> {
  const now = performance.now();
  if (now - (asked.get(id) ?? -1e9) < notWithinMs) return;
  asked.set(id, now);
  try {
    const run = await api.getRun(id);
    if (asked.get(id) !== now) return; // overtaken: the later answer is the truth
    putRow(run);
  } catch {
    return; // the chip says that we are offline; the next event asks again
  }
  consider(store.rows.get(id)!, created);
  changed();
}

const stream = new Stream({
  onEvent: take,
  onConnection: (connection) => {
    if (connection === store.connection) return;
    store.connection = connection;
    changed();
  },
  onGap: () => {
    void loadRuns();
    for (const id of store.open.keys()) void openRun(id);
    for (const id of store.compared.keys()) void openCompared(id);
    store.scored += 1;
  },
});

const CLOCK_MS = 30_000;
let clock: number | undefined;

/** From the event on that was the newest when the session was told: what is read from now on is not older. Also from time
 *  to time: "6 min ago" goes on though nothing happens. */
export function connect(session?: Session): void {
  clearInterval(clock);
  clock = window.setInterval(changed, CLOCK_MS);
  stream.start(session?.newest_seq);
}

/** Forgets everything of the session that ended. */
export function disconnect(): void {
  stream.stop();
  clearInterval(clock);
  store.list = { state: "loading" };
  store.rows.clear();
  store.open.clear();
  store.compared.clear();
}
