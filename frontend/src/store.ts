/** The one state object: runs, open runs, connection. Pages read it; the stream and the loaders write it. */
import { useEffect, useState } from "preact/hooks";
import * as readings from "./api/readings";
import * as api from "./api/runs";
import { Curves } from "./curves";
import { num } from "./format";
import { applyToData, applyToRun, isHappening, type RunData } from "./live";
import { asError, type Loaded } from "./loaded";
import { type Connection, Stream } from "./stream";
import type { Attempt, Run, RunEvent } from "./types";

const FRAME_MS = 250; // redraw at most four times a second
const REFRESH_MS = 5000; // how often a running row is asked for its means

export const store = {
  connection: "connecting" as Connection,
  list: { state: "loading" } as Loaded<{ ids: string[]; next: string | null }>,
  rows: new Map<string, Run>(),
  open: new Map<string, Loaded<RunData>>(),
  attempts: new Map<string, Attempt[]>(),
};

const listeners = new Set<() => void>();
let lastDraw = 0;
let waiting = false;

/** Tells the pages, in step with the screen. A hidden tab gets no frames and so draws nothing. */
function changed(): void {
  if (waiting) return;
  waiting = true;
  window.setTimeout(() => requestAnimationFrame(draw), Math.max(0, lastDraw + FRAME_MS - performance.now()));
}

function draw(): void {
  waiting = false;
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

// --- loading ----------------------------------------------------------------------------------------------------

export async function loadRuns(): Promise<void> {
  try {
    const page = await api.listRuns();
    for (const run of page.data) store.rows.set(run.id, run);
    store.list = { state: "ready", value: { ids: page.data.map((r) => r.id), next: page.next_cursor ?? null } };
  } catch (e) {
    // A list that is on the screen stays there; the connection chip says that it is getting old.
    if (store.list.state !== "ready") store.list = { state: "error", error: asError(e) };
  }
  draw();
}

export async function loadMoreRuns(): Promise<void> {
  if (store.list.state !== "ready" || !store.list.value.next) return;
  const { ids, next } = store.list.value;
  const page = await api.listRuns(next);
  for (const run of page.data) store.rows.set(run.id, run);
  const fresh = page.data.map((r) => r.id).filter((id) => !ids.includes(id));
  store.list = { state: "ready", value: { ids: [...ids, ...fresh], next: page.next_cursor ?? null } };
  draw();
}

/** Events that arrive while a run loads wait here, so that none is lost between the answer and the stream. */
const early = new Map<string, RunEvent[]>();

export async function openRun(id: string, again = false): Promise<void> {
  if (early.has(id) || (!again && store.open.get(id)?.state === "ready")) return;
  early.set(id, []);
  try {
    let data = await readRun(id);
    for (const event of early.get(id) ?? []) data = applyToData(data, event);
    store.rows.set(id, data.detail);
    store.open.set(id, { state: "ready", value: data });
  } catch (e) {
    if (store.open.get(id)?.state !== "ready") store.open.set(id, { state: "error", error: asError(e) });
  }
  early.delete(id);
  draw();
}

async function readRun(id: string): Promise<RunData> {
  const before = store.open.get(id);
  const [detail, curves, guidance, scores, checkpoints, attempts] = await Promise.all([
    api.getRun(id),
    before?.state === "ready" ? before.value.curves.again() : new Curves(id),
    readings.getGuidance(id),
    readings.getScores(id),
    api.getCheckpoints(id),
    api.getAttempts(id),
  ]);
  store.attempts.set(id, attempts.data);
  const resumedAt = attempts.data.flatMap((a) =>
    a.number > 1 && a.resumed_from_step !== null ? [a.resumed_from_step] : [],
  );
  return {
    detail,
    curves,
    guidance: { steps: guidance.data, perBucket: guidance.steps_per_bucket, inLast: guidance.steps_per_bucket },
    scores: scores.data,
    checkpoints: checkpoints.data,
    happenings: [],
    resumedAt,
  };
}

/** A picture of these curves is in view: they are read and then kept live. */
export async function showCurves(curves: Curves, keys: readonly string[], window: number): Promise<void> {
  await curves.show(keys, window);
  changed();
}

/** All past happenings of a run, page by page; only when somebody looks at them. */
export async function loadHappenings(id: string): Promise<void> {
  let after = 0;
  const found: RunEvent[] = [];
  for (let page = 0; page < 40; page += 1) {
    const { data } = await api.getEvents(id, after, 200);
    found.push(...data.filter(isHappening));
    if (data.length < 200) break;
    after = data.at(-1)!.seq;
  }
  const held = store.open.get(id);
  if (held?.state !== "ready") return;
  const known = new Set(found.map((e) => e.seq));
  const happenings = [...found, ...held.value.happenings.filter((e) => !known.has(e.seq))].sort(
    (a, b) => a.seq - b.seq,
  );
  store.open.set(id, { state: "ready", value: { ...held.value, happenings } });
  draw();
}

export async function wish(id: string, what: api.Wish): Promise<void> {
  putRow(await api.wish(id, what));
  draw();
}

// --- live -------------------------------------------------------------------------------------------------------

function putRow(run: Run): void {
  store.rows.set(run.id, run);
  const held = store.open.get(run.id);
  if (held?.state === "ready") {
    store.open.set(run.id, { state: "ready", value: { ...held.value, detail: { ...held.value.detail, ...run } } });
  }
}

function take(event: RunEvent): void {
  const id = event.run_id;
  const row = store.rows.get(id);
  if (row) store.rows.set(id, applyToRun(row, event));
  early.get(id)?.push(event);
  const held = store.open.get(id);
  if (held?.state === "ready") {
    const missed = event.type === "step" && num(event.data.step) > held.value.detail.step + 1;
    store.open.set(id, { state: "ready", value: applyToData(held.value, event) });
    // Steps went by between our reading and the opening of the stream.
    if (missed) void openRun(id, true);
  }
  if (event.type === "run_created" || event.type === "run_state" || event.type === "score") void refresh(id, 0);
  else if (event.type === "step") void refresh(id, REFRESH_MS);
  if (event.type === "attempt_started" || event.type === "attempt_lost" || event.type === "ended")
    void reloadAttempts(id);
  changed();
}

const asked = new Map<string, number>();

/** Asks for one row again: its means, advice and times are the api's to tell. */
async function refresh(id: string, notWithinMs: number): Promise<void> {
  const now = performance.now();
  if (now - (asked.get(id) ?? -1e9) < notWithinMs) return;
  asked.set(id, now);
  try {
    putRow(await api.getRun(id));
  } catch {
    return; // the chip says that we are offline; the next event asks again
  }
  if (store.list.state === "ready" && !store.list.value.ids.includes(id) && isNewest(id)) {
    store.list.value.ids.unshift(id);
  }
  changed();
}

/** Ids sort by time of creation; an old run that is not on this page is not put on top of it. */
const isNewest = (id: string): boolean =>
  store.list.state === "ready" && store.list.value.ids.every((other) => other < id);

async function reloadAttempts(id: string): Promise<void> {
  if (!store.attempts.has(id)) return;
  try {
    store.attempts.set(id, (await api.getAttempts(id)).data);
  } catch {
    return; // as above
  }
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
    for (const id of store.open.keys()) void openRun(id, true);
  },
});

export const connect = (): void => stream.start();

/** Forgets everything of the session that ended. */
export function disconnect(): void {
  stream.stop();
  store.list = { state: "loading" };
  store.rows.clear();
  store.open.clear();
}
