/** Runs: lists, one run, wishes, and what a run has said. */

import type { RunFilter } from "../filter/filter";
import { num } from "../format";
import type { Labels } from "../labels";
import type { Attempt, Checkpoint, MethodInfo, Page, Run, RunDetail, RunEvent, RunPage } from "../types";
import { get, queryOf, send } from "./http";

export const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;

/** What a list is asked for. */
export interface Question {
  filter: RunFilter;
  sort: string;
}

export async function listRuns({ filter, sort }: Question, cursor: string | null, limit: number): Promise<RunPage> {
  const page = await get<RunPage>(`/runs${queryOf({ ...filter, sort, limit, cursor })}`);
  return { ...page, data: page.data.map(readRun) };
}

export const getRun = async (id: string): Promise<RunDetail> => readRun(await get<RunDetail>(runPath(id)));
export const getAttempts = (id: string): Promise<Page<Attempt>> => get(`${runPath(id)}/attempts`);
export const getCheckpoints = (id: string): Promise<Page<Checkpoint>> => get(`${runPath(id)}/checkpoints`);
/** The words of `GET /runs/{id}/events`. */
export interface AskedEvents {
  after?: number;
  before?: number;
  sort?: "seq" | "-seq";
  type?: readonly string[];
  contains?: string;
  up_to_step?: number;
  up_to?: string;
  limit?: number;
}
export const getEvents = (id: string, asked: AskedEvents): Promise<Page<RunEvent>> =>
  get(`${runPath(id)}/events${queryOf({ ...asked })}`);

export const listMethods = (): Promise<Page<MethodInfo>> => get("/methods");

export type Wish = "cancel" | "pause" | "resume" | "retry" | "archive" | "unarchive" | "delete" | "undelete";
export async function wish(id: string, what: Wish): Promise<Run> {
  const answer = await (what === "delete" ? send("DELETE", runPath(id)) : send("POST", `${runPath(id)}/${what}`));
  return readRun((await answer.json()) as Run);
}

/** A run and the mark by which the api knows whether its name, tags and notes are still as we saw them. */
export interface Marked {
  run: RunDetail;
  etag: string;
}
const readMarked = async (answer: Response): Promise<Marked> => ({
  run: readRun((await answer.json()) as RunDetail),
  etag: answer.headers.get("ETag") ?? "*",
});
export const getMarked = async (id: string): Promise<Marked> => readMarked(await send("GET", runPath(id)));
export const patchRun = async (
  id: string,
  values: Partial<Labels & { priority: number }>,
  etag: string,
): Promise<Marked> => readMarked(await send("PATCH", runPath(id), values, { "If-Match": etag }));

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
