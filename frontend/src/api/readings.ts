/** Readings of a run: curves, guidance, scores. What is not a finite number comes as a string and is read here. */
import { num } from "../format";
import type { Column, Curves, Guidance, GuidanceStep, Page, Score } from "../types";
import { get, post, queryOf } from "./http";
import { runPath } from "./runs";

export interface Finely {
  points?: number;
  /** Steps of the trailing mean; 1 is none. */
  smooth?: number;
  from_step?: number;
  to_step?: number;
}

export async function querySeries(runId: string, keys: string[], how: Finely = {}): Promise<Map<string, Column>> {
  const curves = await post<Curves>("/series:query", { run_ids: [runId], keys, points: POINTS, ...how });
  return new Map(curves.data.map((curve) => [curve.key, readColumn(curve)]));
}

/** As many as a panel has pixels, about; a bucket's extremes are kept. */
export const POINTS = 1000;

function readColumn({ steps, mean, min, max }: Curves["data"][number]): Column {
  const column = { steps, values: mean.map(num) };
  const bucketed = steps.length > 0 && steps.at(-1)! - steps[0]! >= steps.length && min.some((v, i) => v !== max[i]);
  return bucketed ? { ...column, low: min.map(num), high: max.map(num) } : column;
}

/** All steps, or those of a window: at most 400 buckets either way. */
export async function getGuidance(
  id: string,
  window: { from_step?: number; to_step?: number } = {},
): Promise<Guidance> {
  const guidance = await get<Guidance>(`${runPath(id)}/guidance${queryOf({ points: 400, ...window })}`);
  return { ...guidance, data: guidance.data.map(readGuidanceStep) };
}

export const getScores = (id: string): Promise<Page<Score>> => get(`${runPath(id)}/scores`);

export function readGuidanceStep(step: GuidanceStep): GuidanceStep {
  const slots = step.slots.map((s) => ({
    ...s,
    guided_reward: num(s.guided_reward),
    unguided_reward: num(s.unguided_reward),
  }));
  return { ...step, slots };
}
