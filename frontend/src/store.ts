/** The one state object: runs, open runs, connection. Pages read it; the stream and the loaders write it. */
import { useEffect, useState } from "preact/hooks";
import * as readings from "./api/readings";
import * as api from "./api/runs";
import { Curves } from "./curves";
import { matches } from "./filter/matches";
import { num } from "./format";
import {
  applyToCompared,
  applyToData,
  applyToGuidance,
  applyToRun,
  type Compared,
  type GuidanceHeld,
  type RunData,
} from "./live";
import { asError, type Loaded } from "./loaded";
import { type Connection, Stream } from "./stream";
import type { Attempt, Run, RunEvent, RunPage } from "./types";

const COMPARED = { points: 500 }; // of each curve: twenty share a picture
const FRAME_MS = 250; // redraw at most four times a second
const REFRESH_MS = 5000; // how often a running row is asked for its means

export const NEWEST = "-created_at";
const FIRST = 50; // soon on the screen
const MORE = 200; // the most that the api gives at once

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
  question: { filter: { state: [], tag: [] }, sort: NEWEST } as api.Question,
  reading: 0,
  list: { state: "loading" } as Loaded<RunList>,
  rows: new Map<string, Run>(),
  open: new Map<string, Loaded<RunData>>(),
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
function changed(): void {
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
function draw(): void {
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

// --- loading ----------------------------------------------------------------------------------------------------

const isAsked = (question: api.Question): boolean => JSON.stringify(question) === JSON.stringify(store.question);

/** Reads the list for a question; for the same question as before, as much of it as is held. The answer to a question
 *  that was overtaken by another is dropped. */
export async function loadRuns(question: api.Question = store.question): Promise<void> {
  const same = isAsked(question);
  const wanted = same && store.list.state === "ready" ? store.list.value.ids.length : 1;
  const list: RunList = { ids: [], next: null, total: 0, waiting: new Set() };
  store.question = question;
  store.reading += 1;
  draw();
  try {
    do addPage(list, await api.listRuns(question, list.next, wanted > FIRST ? MORE : FIRST));
    while (list.next && list.ids.length < wanted && isAsked(question));
    if (isAsked(question)) store.list = { state: "ready", value: list };
  } catch (e) {
    // A list that is on the screen stays there; the connection chip says that it is getting old.
    if (isAsked(question) && (store.list.state !== "ready" || !same))
      store.list = { state: "error", error: asError(e) };
  }
  store.reading -= 1;
  draw();
}

/** The next page, if there is one and nobody is reading. */
export async function loadMoreRuns(): Promise<void> {
  if (store.list.state !== "ready" || !store.list.value.next || store.reading) return;
  const list = store.list.value;
  store.reading += 1;
  try {
    addPage(list, await api.listRuns(store.question, list.next, MORE));
  } finally {
    store.reading -= 1;
    draw();
  }
}

function addPage(list: RunList, page: RunPage): void {
  const held = new Set(list.ids);
  for (const run of page.data) {
    store.rows.set(run.id, run);
    if (!held.has(run.id)) list.ids.push(run.id);
    list.waiting.delete(run.id);
  }
  list.next = page.next_cursor ?? null;
  list.total = list.next ? Math.max(page.total ?? list.total, list.ids.length + 1) : list.ids.length;
}

/** A run that was not in the list and may belong there now: a new one comes on top of the newest, others are counted
 *  until the list is read again. */
function consider(run: Run, created: boolean): void {
  if (store.list.state !== "ready" || store.list.value.ids.includes(run.id)) return;
  const list = store.list.value;
  if (!matches(run, store.question.filter)) list.waiting.delete(run.id);
  else if (store.question.sort === NEWEST && list.ids.every((other) => other < run.id)) {
    list.ids.unshift(run.id);
    list.total += 1;
  } else if (created || !list.next) list.waiting.add(run.id);
}

/** Takes runs out of the list that the person has just put elsewhere, such as into the archive. */
export function dropUnmatched(ids: readonly string[]): void {
  if (store.list.state !== "ready") return;
  const gone = new Set(ids.filter((id) => !matches(store.rows.get(id)!, store.question.filter)));
  const kept = store.list.value.ids.filter((id) => !gone.has(id));
  store.list.value.total -= store.list.value.ids.length - kept.length;
  store.list.value.ids = kept;
  draw();
}

/** Events of a run that arrive while something of it is read, so that none is lost between the answer and the stream. */
interface Reading {
  id: string;
  early: RunEvent[];
}
const underway = new Set<Reading>();
const opening = new Set<string>();

async function reading<T>(id: string, read: () => Promise<T>, then: (answer: T, early: RunEvent[]) => void) {
  const mine: Reading = { id, early: [] };
  underway.add(mine);
  try {
    then(await read(), mine.early);
  } finally {
    underway.delete(mine);
  }
}

export async function openRun(id: string, again = false): Promise<void> {
  if (opening.has(id) || (!again && store.open.get(id)?.state === "ready")) return;
  opening.add(id);
  try {
    await reading(
      id,
      () => readRun(id),
      (data, early) => {
        const value = early.reduce(applyToData, data);
        store.rows.set(id, value.detail);
        store.open.set(id, { state: "ready", value });
      },
    );
    if (store.rows.get(id)?.kind === "train") void readGuidance(id);
  } catch (e) {
    if (store.open.get(id)?.state !== "ready") store.open.set(id, { state: "error", error: asError(e) });
  }
  opening.delete(id);
  draw();
}

/** What a long run's guidance costs the service, the other pictures do not wait for. */
async function readGuidance(id: string): Promise<void> {
  const put = (guidance: GuidanceHeld): void => {
    const held = store.open.get(id);
    if (held?.state === "ready") store.open.set(id, { state: "ready", value: { ...held.value, guidance } });
    changed();
  };
  try {
    await reading(
      id,
      () => readings.getGuidance(id),
      ({ data, steps_per_bucket: per }, early) =>
        put(early.reduce(applyToGuidance, { steps: data, perBucket: per, inLast: per })),
    );
  } catch (e) {
    const held = store.open.get(id);
    // What is on the screen stays there.
    if (held?.state === "ready" && held.value.guidance.missing) put({ ...held.value.guidance, missing: asError(e) });
  }
}

const UNREAD: GuidanceHeld = { steps: [], perBucket: 1, inLast: 1, missing: "reading" };

async function readRun(id: string): Promise<RunData> {
  const before = store.open.get(id);
  const [detail, curves, scores, checkpoints, attempts] = await Promise.all([
    api.getRun(id),
    before?.state === "ready" ? before.value.curves.again() : new Curves(id),
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
    guidance: before?.state === "ready" ? before.value.guidance : UNREAD,
    scores: scores.data,
    checkpoints: checkpoints.data,
    happenings: [],
    resumedAt,
  };
}

/** A picture of these curves is in view: they are read and then kept live. */
export async function showCurves(curves: Curves, keys: readonly string[], window: number): Promise<void> {
  await curves.show(keys, window, changed);
  changed();
}

/** Runs side by side hold only their specs and curves; those that are no longer wanted are let go. */
export function compareRuns(ids: readonly string[]): void {
  for (const id of store.compared.keys()) if (!ids.includes(id)) store.compared.delete(id);
  for (const id of ids) if (store.compared.get(id)?.state !== "ready") void openCompared(id);
}

async function openCompared(id: string): Promise<void> {
  const before = store.compared.get(id);
  if (before?.state === "loading") return;
  const held = before?.state === "ready" ? before.value : null;
  if (!held) store.compared.set(id, { state: "loading" });
  try {
    const detail = await api.getRun(id);
    const curves = held ? await held.curves.again() : new Curves(id, COMPARED, true);
    if (store.compared.has(id)) store.compared.set(id, { state: "ready", value: { detail, curves, guidance: null } });
  } catch (e) {
    if (!held && store.compared.has(id)) store.compared.set(id, { state: "error", error: asError(e) });
  }
  changed();
}

export async function showGuidance(id: string): Promise<void> {
  const { data, steps_per_bucket } = await readings.getGuidance(id, { points: 120 });
  const held = store.compared.get(id);
  if (held?.state !== "ready" || held.value.guidance) return;
  held.value = { ...held.value, guidance: { steps: data, perBucket: steps_per_bucket, inLast: steps_per_bucket } };
  changed();
}

export async function wish(id: string, what: api.Wish): Promise<void> {
  put(await api.wish(id, what));
}

/** What the api has answered about a run is shown at once. */
export function put(run: Run): void {
  putRow(run);
  draw();
}

// --- live -------------------------------------------------------------------------------------------------------

function putRow(run: Run): void {
  store.rows.set(run.id, run);
  const held = store.open.get(run.id);
  if (held?.state === "ready") {
    store.open.set(run.id, { state: "ready", value: { ...held.value, detail: { ...held.value.detail, ...run } } });
  }
  const beside = store.compared.get(run.id);
  if (beside?.state === "ready") beside.value = { ...beside.value, detail: { ...beside.value.detail, ...run } };
}

function take(event: RunEvent): void {
  const id = event.run_id;
  const row = store.rows.get(id);
  if (row) store.rows.set(id, applyToRun(row, event));
  for (const reading of underway) if (reading.id === id) reading.early.push(event);
  const held = store.open.get(id);
  if (held?.state === "ready") {
    const missed = event.type === "step" && num(event.data.step) > held.value.detail.step + 1;
    store.open.set(id, { state: "ready", value: applyToData(held.value, event) });
    // Steps went by between our reading and the opening of the stream.
    if (missed) void openRun(id, true);
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
  else if (event.type === "step") void refresh(id, REFRESH_MS);
  if (event.type === "attempt_started" || event.type === "attempt_lost" || event.type === "ended")
    void reloadAttempts(id);
  changed();
}

const asked = new Map<string, number>();

/** Asks for one row again: its means, advice and times are the api's to tell. */
async function refresh(id: string, notWithinMs: number, created = false): Promise<void> {
  const now = performance.now();
  if (now - (asked.get(id) ?? -1e9) < notWithinMs) return;
  asked.set(id, now);
  try {
    putRow(await api.getRun(id));
  } catch {
    return; // the chip says that we are offline; the next event asks again
  }
  consider(store.rows.get(id)!, created);
  changed();
}

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
    for (const id of store.compared.keys()) void openCompared(id);
    store.scored += 1;
  },
});

export const connect = (): void => stream.start();

/** Forgets everything of the session that ended. */
export function disconnect(): void {
  stream.stop();
  store.list = { state: "loading" };
  store.rows.clear();
  store.open.clear();
  store.compared.clear();
}
