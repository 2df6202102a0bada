/** Runs: lists, one run, wishes, and what a run has said. */
import { num } from "../format";
import type { Attempt, Checkpoint, Page, Run, RunDetail, RunEvent } from "../types";
import { get, post, queryOf, send } from "./http";

export const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;

export async function listRuns(cursor?: string | null, limit = 50): Promise<Page<Run>> {
  const page = await get<Page<Run>>(`/runs${queryOf({ limit, cursor })}`);
  return { ...page, data: page.data.map(readRun) };
}

export const getRun = async (id: string): Promise<RunDetail> => readRun(await get<RunDetail>(runPath(id)));
export const getAttempts = (id: string): Promise<Page<Attempt>> => get(`${runPath(id)}/attempts`);
export const getCheckpoints = (id: string): Promise<Page<Checkpoint>> => get(`${runPath(id)}/checkpoints`);
export const getEvents = (id: string, after: number, limit: number): Promise<Page<RunEvent>> =>
  get(`${runPath(id)}/events?after=${after}&limit=${limit}`);
export const getLogs = async (id: string): Promise<string> =>
  (await send("GET", `${runPath(id)}/logs?tail_bytes=20000`)).text();

export type Wish = "cancel" | "pause" | "resume";
export const wish = async (id: string, what: Wish): Promise<Run> => readRun(await post<Run>(`${runPath(id)}/${what}`));

function readRun<R extends Run>(body: R): R {
  const maybe = (x: number | null | undefined): number | null => (x === null || x === undefined ? null : num(x));
  const s = body.summary;
  const summary = {
    reward_unguided: maybe(s.reward_unguided),
    guided_share: maybe(s.guided_share),
    score: maybe(s.score),
    sparkline: (s.sparkline ?? []).map(maybe),
  };
  return { ...body, summary };
}
