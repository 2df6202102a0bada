/** What a service is at, as rows to read: GPUs of each worker, what is wrong, how full a disk is. */
import { duration } from "../format";
import type { Delivery, SystemState } from "../types";

type Worker = SystemState["workers"][number];
type Held = SystemState["held"][number];

export interface Gpu {
  name: string;
  run: Held | null;
}

/** The GPUs of a worker: those that its runs hold by their names, then the free ones. Other workers of its host may hold
 *  some of them too. */
export function gpusOf(worker: Worker, held: readonly Held[]): Gpu[] {
  const here = held.filter((run) => run.host === worker.host);
  const taken = here.flatMap((run) => run.gpu_ids.map((name): Gpu => ({ name, run })));
  const free = Math.max(0, worker.gpus - taken.length);
  taken.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return [...taken, ...Array.from({ length: free }, (): Gpu => ({ name: "free", run: null }))];
}

/** GPUs that are held though no living worker's run has them: a host that went away. */
export function strayGpus({ gpus, held }: SystemState): [gpu: string, run: string][] {
  const known = new Set(held.map((run) => run.run_id));
  return Object.entries(gpus).filter(([, run]) => !known.has(run));
}

export function conditionOf(worker: Worker): "well" | "troubled" | "silent" {
  if (!worker.alive) return "silent";
  return worker.problem ? "troubled" : "well";
}

/** What stands above everything else, in words; empty when all is well. */
export function troublesOf(state: SystemState): string[] {
  const troubles: string[] = [];
  if (state.workers.length === 0)
    troubles.push(
      "No worker is there, so no run is started. `trapo up` brings one; elsewhere it is `python -m worker`.",
    );
  else if (state.workers.every((worker) => worker.problem)) troubles.push("No worker takes runs now.");
  if (state.free_bytes < state.min_free_bytes)
    troubles.push("The disk of the service is full: no new run is taken until there is room. trapo gc frees some.");
  return troubles;
}

export const leaseWords = (seconds: number | null): string =>
  seconds === null ? "no lease" : seconds <= 0 ? "expired" : `${duration(seconds)} left`;

export function deliveryWords({ delivered_at, due_at, attempts, last_error }: Delivery): string {
  const tries = `${attempts} ${attempts === 1 ? "try" : "tries"}`;
  if (delivered_at) return attempts > 1 ? `delivered after ${tries}` : "delivered";
  if (due_at) return attempts ? `waits for another try after ${tries}: ${last_error ?? ""}` : "waits";
  return `given up after ${tries}: ${last_error ?? ""}`;
}
