/** The runs whose pages are open, whole. */
import * as readings from "../api/readings";
import * as api from "../api/runs";
import { Curves } from "../curves";
import { applyToData, applyToGuidance, type GuidanceHeld, type RunData } from "../live";
import { asError } from "../loaded";
import type { RunEvent } from "../types";
import { keepNewest } from "./newest";
import { changed, draw, store } from "./state";

/** Events of a run that arrive while something of it is read, so that none is lost between the answer and the stream. */
interface Reading {
  id: string;
  early: RunEvent[];
}
const underway = new Set<Reading>();
const opening = new Set<string>();

/** Reads something of a run; `then` gets the answer and what the stream has said of it meanwhile. */
export async function reading<T>(id: string, read: () => Promise<T>, then: (answer: T, early: RunEvent[]) => void) {
  const mine: Reading = { id, early: [] };
  underway.add(mine);
  try {
    then(await read(), mine.early);
  } finally {
    underway.delete(mine);
  }
}

/** To those who are reading of its run. */
export function tellReaders(event: RunEvent): void {
  for (const reading of underway) if (reading.id === event.run_id) reading.early.push(event);
}

const KEPT = 4; // runs with all their curves, growing by events: the way back to one of them shows it at once

/** A page of it is opened. Those that were looked at longest ago are let go. */
export function showRun(id: string): void {
  for (const gone of keepNewest(store.open, id, KEPT)) store.attempts.delete(gone);
  void openRun(id);
}

/** Reads it; what is shown stays until the answer is there. */
export async function openRun(id: string): Promise<void> {
  if (opening.has(id)) return;
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
    resumedAt,
  };
}

/** After an attempt began or ended. */
export async function reloadAttempts(id: string): Promise<void> {
  if (!store.attempts.has(id)) return;
  try {
    store.attempts.set(id, (await api.getAttempts(id)).data);
  } catch {
    return; // as above
  }
  changed();
}

const begun = new WeakSet<Curves>();

/** A picture of these curves is in view: they are read and then kept live. The first of a run's page is drawn at once,
 *  for somebody waits for it. */
export async function showCurves(curves: Curves, keys: readonly string[], window: number): Promise<void> {
  await curves.show(keys, window, changed);
  const page = store.open.get(curves.id);
  if (page?.state !== "ready" || page.value.curves !== curves || begun.has(curves)) return changed();
  begun.add(curves);
  draw();
}
