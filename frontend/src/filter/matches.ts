import type { Run } from "../types";
import type { RunFilter } from "./filter";

/** Whether a run, as it is now, is among those that the filter finds: the api's rule, for rows that change on screen. */
export function matches(run: Run, filter: RunFilter): boolean {
  const { reward_unguided: reward, score } = run.summary;
  const within = (x: number | null | undefined, low?: number, high?: number): boolean =>
    (low === undefined || (x != null && x >= low)) && (high === undefined || (x != null && x <= high));
  const same = (wanted: string | undefined, is: string | null): boolean => wanted === undefined || wanted === is;
  return (
    !!run.deleted_at === !!filter.deleted &&
    (!!filter.deleted || !!run.archived_at === !!filter.archived) &&
    (filter.state.length === 0 || filter.state.includes(run.state)) &&
    filter.tag.every((tag) => run.tags.includes(tag)) &&
    same(filter.method, run.method) &&
    same(filter.kind, run.kind) &&
    same(filter.created_by, run.created_by) &&
    same(filter.sweep, run.sweep_id) &&
    run.name.toLowerCase().includes((filter.name ?? "").toLowerCase()) &&
    within(reward, filter.min_reward, filter.max_reward) &&
    within(score, filter.min_score, filter.max_score)
  );
}
