/** Readings of a run: curves, guidance, scores. What is not a finite number comes as a string and is read here. */
import { num } from "../format";
import type { Column, Curves, Guidance, GuidanceStep, Page, Score, SeriesInfo } from "../types";
import { get, post, queryOf } from "./http";
import { runPath } from "./runs";

export interface Finely {
  points?: number;
  /** Steps of the trailing mean; 1 is none. */
  smooth?: number;
  from_step?: number;
  to_step?: number;
}

type Columns = Map<string, Column>;

/** Questions of the same moment that are alike but for their run: they go to the api as one. */
const asking = new Map<string, { runs: Set<string>; answer: Promise<Map<string, Columns>> }>();

export async function querySeries(runId: string, keys: string[], how: Finely = {}): Promise<Columns> {
  const question = { keys, points: POINTS, ...how };
  const name = JSON.stringify(question);
  const open = asking.get(name);
  const most = Math.min(MOST_RUNS, Math.floor(MOST_BUCKETS / (keys.length * question.points)));
  if (open && (open.runs.has(runId) || open.runs.size < most)) {
    open.runs.add(runId);
    return (await open.answer).get(runId) ?? new Map();
  }
  const runs = new Set([runId]);
  const answer = new Promise((later) => setTimeout(later)).then(() => {
    if (asking.get(name)?.runs === runs) asking.delete(name);
    return askSeries([...runs], question);
  });
  asking.set(name, { runs, answer });
  return (await answer).get(runId) ?? new Map();
}

async function askSeries(run_ids: string[], question: Finely & { keys: string[] }): Promise<Map<string, Columns>> {
  const curves = await post<Curves>("/series:query", { run_ids, ...question });
  const found = new Map<string, Columns>(run_ids.map((id) => [id, new Map()]));
  for (const curve of curves.data) found.get(curve.run_id)?.set(curve.key, readColumn(curve));
  return found;
}

/** The limits of one question. */
const MOST_RUNS = 50;
const MOST_BUCKETS = 1_000_000;

/** As many as a panel has pixels, about; a bucket's extremes are kept. */
export const POINTS = 1000;

function readColumn({ steps, mean, min, max }: Curves["data"][number]): Column {
  const column = { steps, values: mean.map(num) };
  const bucketed = steps.length > 0 && steps.at(-1)! - steps[0]! >= steps.length && min.some((v, i) => v !== max[i]);
  return bucketed ? { ...column, low: min.map(num), high: max.map(num) } : column;
}

export const listSeries = (id: string): Promise<Page<SeriesInfo>> => get(`${runPath(id)}/series`);

/** All steps, or those of a window: at most 400 buckets either way. */
export async function getGuidance(
  id: string,
  window: { from_step?: number; to_step?: number; points?: number } = {},
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
