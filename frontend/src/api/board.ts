/** The benchmark board, and what its filters can name. */
import type { Board, Page, Sweep } from "../types";
import { get, queryOf } from "./http";

/** The words of `GET /benchmarks`. */
export interface BoardQuestion {
  run?: readonly string[];
  benchmark?: readonly string[];
  method?: string | null;
  tag?: readonly string[];
  sweep?: string | null;
  baseline?: string | null;
  at?: "last" | "best";
  group?: "none" | "seeds";
  published?: boolean;
  sort?: "-created_at" | "-score";
  limit?: number;
}

export const getBoard = (asked: BoardQuestion, cursor: string | null = null): Promise<Board> =>
  get(`/benchmarks${queryOf({ ...asked, cursor })}`);

export const listSweeps = (): Promise<Page<Sweep>> => get("/sweeps");
