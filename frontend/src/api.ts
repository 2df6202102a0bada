/** The only place that fetches. Every answer is a typed body or an `ApiError` in words a person can act on. */
import { num } from "./format";
import type {
  Attempt,
  Checkpoint,
  Column,
  Curves,
  Guidance,
  GuidanceStep,
  Page,
  Problem,
  Run,
  RunDetail,
  RunEvent,
  Score,
  Session,
} from "./types";

const PREFIX = "/api/v1";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

let onUnauthenticated: () => void = () => {};
export function whenUnauthenticated(act: () => void): void {
  onUnauthenticated = act;
}

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  const init: RequestInit = { method, credentials: "same-origin" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(PREFIX + path, init);
  } catch {
    throw new ApiError(0, "offline", "The service does not answer. It may be restarting, or the network is down.");
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  // A failed login is an answer to the person at the form, not a reason to send them to the form.
  if (answer.status === 401 && path !== "/sessions") onUnauthenticated();
  throw new ApiError(answer.status, problem.code, problem.detail || problem.title);
}

async function problemOf(answer: Response): Promise<Problem> {
  const fallback = { type: "", status: answer.status, code: "server_error", detail: "", errors: [] };
  try {
    return { ...fallback, title: answer.statusText, ...((await answer.json()) as Partial<Problem>) };
  } catch {
    return { ...fallback, title: `The service answered ${answer.status} ${answer.statusText}.` };
  }
}

async function get<T>(path: string): Promise<T> {
  return (await (await send("GET", path)).json()) as T;
}

const run = (id: string): string => `/runs/${encodeURIComponent(id)}`;

export async function listRuns(cursor?: string | null, limit = 50): Promise<Page<Run>> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (cursor) query.set("cursor", cursor);
  const page = await get<Page<Run>>(`/runs?${query}`);
  return { ...page, data: page.data.map(readRun) };
}

export const getRun = async (id: string): Promise<RunDetail> => readRun(await get<RunDetail>(run(id)));
export const getAttempts = (id: string): Promise<Page<Attempt>> => get(`${run(id)}/attempts`);
export const getScores = (id: string): Promise<Page<Score>> => get(`${run(id)}/scores`);
export const getCheckpoints = (id: string): Promise<Page<Checkpoint>> => get(`${run(id)}/checkpoints`);
export const getEvents = (id: string, after: number, limit: number): Promise<Page<RunEvent>> =>
  get(`${run(id)}/events?after=${after}&limit=${limit}`);
export const getLogs = async (id: string): Promise<string> =>
  (await send("GET", `${run(id)}/logs?tail_bytes=20000`)).text();

export type Wish = "cancel" | "pause" | "resume";
export const wish = async (id: string, what: Wish): Promise<Run> =>
  readRun((await (await send("POST", `${run(id)}/${what}`)).json()) as Run);

export async function querySeries(runId: string, keys: string[], points = 2000): Promise<Map<string, Column>> {
  const answer = await send("POST", "/series:query", { run_ids: [runId], keys, points });
  const curves = (await answer.json()) as Curves;
  return new Map(curves.data.map((c) => [c.key, { steps: c.steps, values: c.mean.map(num) }]));
}

export async function getGuidance(id: string): Promise<Guidance> {
  const guidance = await get<Guidance>(`${run(id)}/guidance?points=400`);
  return { ...guidance, data: guidance.data.map(readGuidanceStep) };
}

export const login = async (body: { token: string } | { api_key: string }): Promise<Session> =>
  (await send("POST", "/sessions", body)).json() as Promise<Session>;
export const getSession = (): Promise<Session> => get("/session");
export const logout = async (): Promise<void> => {
  await send("DELETE", "/sessions");
};

export const streamUrl = (after: number | null): string => `${PREFIX}/stream${after === null ? "" : `?after=${after}`}`;

export function readGuidanceStep(step: GuidanceStep): GuidanceStep {
  const slots = step.slots.map((s) => ({
    ...s,
    guided_reward: num(s.guided_reward),
    unguided_reward: num(s.unguided_reward),
  }));
  return { ...step, slots };
}

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
