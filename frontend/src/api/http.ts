/** The only place that fetches. Every answer is a typed body or an `ApiError` in words a person can act on. */
import type { Problem } from "../types";

export const PREFIX = "/api/v1";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly errors: Problem["errors"] = [],
  ) {
    super(message);
  }
}

let onUnauthenticated: () => void = () => {};
export function whenUnauthenticated(act: () => void): void {
  onUnauthenticated = act;
}

type Headers = Record<string, string>;

export async function send(method: string, path: string, body?: unknown, headers?: Headers): Promise<Response> {
  const init: RequestInit = { method, credentials: "same-origin", headers };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...headers, "Content-Type": "application/json" };
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
  throw new ApiError(answer.status, problem.code, problem.detail || problem.title, problem.errors);
}

async function problemOf(answer: Response): Promise<Problem> {
  const fallback = { type: "", status: answer.status, code: "server_error", detail: "", errors: [] };
  try {
    return { ...fallback, title: answer.statusText, ...((await answer.json()) as Partial<Problem>) };
  } catch {
    return { ...fallback, title: `The service answered ${answer.status} ${answer.statusText}.` };
  }
}

export async function get<T>(path: string): Promise<T> {
  return (await (await send("GET", path)).json()) as T;
}

export async function post<T>(path: string, body?: unknown): Promise<T> {
  return (await (await send("POST", path, body)).json()) as T;
}

/** Query words of what is set; an array is repeated. */
export function queryOf(
  words: Record<string, string | number | boolean | null | undefined | readonly string[]>,
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(words)) {
    if (Array.isArray(value)) for (const one of value) query.append(name, one);
    else if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}
