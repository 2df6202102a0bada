/** What can be asked of a run in the state that it is in, and what came of asking it of many. */
import type { Wish } from "./api/runs";
import { runName } from "./format";
import { isOver, type Run } from "./types";

export type Action = Wish | "clone";

/** In the order of buttons: what is done most first. The api has the last word. */
export function actionsOf(run: Run): Action[] {
  if (run.deleted_at) return ["undelete"];
  const going = run.state === "queued" || run.state === "starting" || run.state === "running";
  const able: Record<Action, boolean> = {
    pause: going && run.desired === "run",
    resume:
      run.state === "paused" || (run.state === "failed" && !run.imported_from) || (going && run.desired === "pause"),
    retry: run.state === "cancelled" && !run.imported_from,
    cancel: !isOver(run.state) && run.desired !== "cancel",
    clone: run.kind !== "import",
    archive: !going && !run.archived_at,
    unarchive: !!run.archived_at,
    delete: !going,
    undelete: false,
  };
  return (Object.keys(able) as Action[]).filter((action) => able[action]);
}

export interface Refused {
  run: Run;
  why: string;
}
export interface Told {
  done: Run[];
  refused: Refused[];
}

/** Asks for each run, a few at a time; one that is refused does not stop the others. */
export async function askEach(
  runs: readonly Run[],
  ask: (run: Run) => Promise<unknown>,
  progress: (done: number) => void = () => {},
): Promise<Told> {
  const told: Told = { done: [], refused: [] };
  const left = [...runs];
  const work = async (): Promise<void> => {
    for (let run = left.shift(); run; run = left.shift()) {
      await ask(run).then(
        () => told.done.push(run),
        (e: Error) => told.refused.push({ run, why: e.message }),
      );
      progress(told.done.length + told.refused.length);
    }
  };
  await Promise.all([work(), work(), work()]);
  // In the order in which they were chosen, whichever answer came first.
  const place = new Map(runs.map((run, i) => [run.id, i]));
  told.done.sort((a, b) => place.get(a.id)! - place.get(b.id)!);
  told.refused.sort((a, b) => place.get(a.run.id)! - place.get(b.run.id)!);
  return told;
}

/** "18 archived, 2 could not: a, b (it is running)". */
export function outcome(done: string, { done: fine, refused }: Told): string {
  if (refused.length === 0) return `${fine.length} ${done}.`;
  const reasons = [...new Set(refused.map((one) => one.why))];
  const named = reasons.map((why) => `${names(refused.filter((r) => r.why === why).map((r) => r.run))} (${why})`);
  return `${fine.length} ${done}, ${refused.length} could not: ${named.join("; ")}`;
}

const NAMED = 3;

export function names(runs: readonly Run[]): string {
  const first = runs.slice(0, NAMED).map(runName).join(", ");
  return runs.length > NAMED ? `${first} and ${runs.length - NAMED} more` : first;
}
