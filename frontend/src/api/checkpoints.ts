/** Checkpoints of a run: kept, named, taken away. */
import type { Alias, Checkpoint } from "../types";
import { PREFIX, post } from "./http";
import { runPath } from "./runs";

const path = (id: string, step: number): string => `${runPath(id)}/checkpoints/${step}`;

export const pin = (id: string, step: number, wanted: boolean): Promise<Checkpoint> =>
  post(`${path(id, step)}/${wanted ? "pin" : "unpin"}`);
export const promote = (id: string, step: number, alias: string): Promise<Alias> =>
  post(`${path(id, step)}/promote`, { alias });

/** The whole folder; takes Range, so that a download that broke goes on. */
export const tarUrl = (id: string, step: number): string => `${PREFIX}${path(id, step)}/tar`;
