/** Runs side by side: only their specs and curves, and guidance when it is asked for. */
import * as readings from "../api/readings";
import * as api from "../api/runs";
import { Curves } from "../curves";
import { asError } from "../loaded";
import { changed, store } from "./state";

const COMPARED = { points: 500 }; // of each curve: twenty share a picture

/** Those that are no longer wanted are let go. */
export function compareRuns(ids: readonly string[]): void {
  for (const id of store.compared.keys()) if (!ids.includes(id)) store.compared.delete(id);
  for (const id of ids) if (store.compared.get(id)?.state !== "ready") void openCompared(id);
}

export async function openCompared(id: string): Promise<void> {
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
