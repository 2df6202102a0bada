/** What a run's problems still need, and how likely the expert's tokens are to the model. */
import type { TrainedProblems, TrustRegion } from "../types";
import { get, queryOf } from "./http";
import { runPath } from "./runs";

export interface AskedProblems {
  sort: string;
  contains?: string;
  limit?: number;
  visits?: number;
  cursor?: string | null;
}

export const getProblems = (id: string, asked: AskedProblems): Promise<TrainedProblems> =>
  get(`${runPath(id)}/problems${queryOf({ ...asked })}`);

export const getTrustRegion = (id: string, from_step?: number, to_step?: number): Promise<TrustRegion> =>
  get(`${runPath(id)}/trust-region${queryOf({ from_step, to_step })}`);
