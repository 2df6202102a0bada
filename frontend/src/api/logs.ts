/** What a run's processes printed: in parts backwards, and as it comes. */
import { PREFIX, queryOf, send } from "./http";
import { runPath } from "./runs";

/** Whole lines of bytes [from, next) of an attempt's log. */
export interface LogPart {
  attempt: number;
  from: number;
  next: number;
  size: number;
  text: string;
}

const END = 2 ** 53 - 1;

/** The end of a log, or what stands before byte `before`. */
export async function getLogPart(id: string, attempt: number | null, before = END, limit = 1 << 18): Promise<LogPart> {
  const answer = await send("GET", `${runPath(id)}/logs${queryOf({ attempt, before, limit })}`);
  const said = (name: string): number => Number(answer.headers.get(`Log-${name}`));
  const text = await answer.text();
  return { attempt: said("Attempt"), from: said("From"), next: said("Next"), size: said("Size"), text };
}

/** All of it, oldest first. */
export async function getWholeLog(id: string, attempt: number | null): Promise<string[]> {
  const last = await getLogPart(id, attempt, END, 1 << 20);
  const parts = [last.text];
  for (let from = last.from; from > 0; ) {
    const part = await getLogPart(id, last.attempt, from, 1 << 20);
    parts.unshift(part.text);
    from = part.from;
  }
  return parts;
}

export const logStreamUrl = (id: string, attempt: number, offset: number): string =>
  `${PREFIX}${runPath(id)}/logs/stream${queryOf({ attempt: attempt || null, offset })}`;
