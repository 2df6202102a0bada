/** Runs side by side: only their specs and curves, and guidance when it is asked for. */
import * as readings from "../api/readings";
import * as api from "../api/runs";
import { Curves } from "../curves";
import { applyToCompared, applyToGuidance, type Compared } from "../live";
import { asError } from "../loaded";
import { reading } from "./opened";
import { changed, store } from "./state";

const COMPARED = { points: 500 }; // of each curve: twenty share a picture

/** Those that are no longer wanted are let go. */
export function compareRuns(ids: readonly string[]): void {
  for (const id of store.compared.keys()) if (!ids.includes(id)) store.compared.delete(id);
  for (const id of ids) if (store.compared.get(id)?.state !== "ready") void openCompared(id);
}

const opening = new Set<string>();

const heldOf = (id: string): Compared | null => {
  const one = store.compared.get(id);
  return one?.state === "ready" ? one.value : null;
};

/** Reads it; what is shown stays until the answer is there. */
export async function openCompared(id: string): Promise<void> {
  const held = heldOf(id);
  if (!held) store.compared.set(id, { state: "loading" });
  if (opening.has(id)) return;
  opening.add(id);
  try {
    await reading(
      id,
      async () => ({
        detail: await api.getRun(id),
        curves: held ? await held.curves.again() : new Curves(id, COMPARED, true),
        guidance: heldOf(id)?.guidance ?? null,
      }),
      (read, early) => {
        // It may have been taken out meanwhile.
        if (store.compared.has(id))
          store.compared.set(id, { state: "ready", value: early.reduce(applyToCompared, read) });
      },
    );
    if (heldOf(id)?.guidance) void showGuidance(id).catch(() => {}); // what is on the screen stays there
  } catch (e) {
    if (!held && store.compared.has(id)) store.compared.set(id, { state: "error", error: asError(e) });
  }
  opening.delete(id);
  changed();
}

export const showGuidance = (id: string): Promise<void> =>
  reading(
    id,
    () => readings.getGuidance(id, { points: 120 }),
    ({ data, steps_per_bucket: per }, early) => {
      const held = heldOf(id);
      if (!held) return;
      const guidance = early.reduce(applyToGuidance, { steps: data, perBucket: per, inLast: per });
      store.compared.set(id, { state: "ready", value: { ...held, guidance } });
      changed();
    },
  );
