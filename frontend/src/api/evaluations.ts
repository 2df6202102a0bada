/** What was answered in one evaluation of a benchmark. */
import type { EvaluatedProblem, EvaluatedProblems } from "../types";
import { get, queryOf } from "./http";
import { runPath } from "./runs";

/** The words of `GET /runs/{id}/evaluations/{step}/{benchmark}`. */
export interface AskedItems {
  verdict?: string;
  change?: string;
  contains?: string;
}

const evaluationPath = (id: string, step: number, benchmark: string): string =>
  `${runPath(id)}/evaluations/${step}/${encodeURIComponent(benchmark)}`;

export const getItems = (
  id: string,
  step: number,
  benchmark: string,
  asked: AskedItems,
  cursor: string | null,
): Promise<EvaluatedProblems> => get(`${evaluationPath(id, step, benchmark)}${queryOf({ ...asked, cursor })}`);

export const getItem = (id: string, step: number, benchmark: string, place: number): Promise<EvaluatedProblem> =>
  get(`${evaluationPath(id, step, benchmark)}/${place}`);
