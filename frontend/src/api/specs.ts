/** What a spec can be made of, what one would take, and orders for runs. */

import type { Order } from "../spec/orders";
import type { FieldError } from "../spec/pointers";
import type { DatasetInfo, MethodInfo, ModelInfo, Page, Plan, RecipeInfo, SpecSchema } from "../types";
import { ApiError, get, queryOf, send } from "./http";

export const getSpecSchema = (): Promise<SpecSchema> => get("/spec-schema");
export const listRecipes = (): Promise<Page<RecipeInfo>> => get("/recipes");
export const listModels = (): Promise<Page<ModelInfo>> => whole("/models");
export const listDatasets = (): Promise<Page<DatasetInfo>> => whole("/datasets");

/** A list with all its pages as one. */
async function whole<T>(path: string): Promise<Page<T>> {
  const list = await get<Page<T>>(path);
  while (list.next_cursor) {
    const more = await get<Page<T>>(path + queryOf({ cursor: list.next_cursor }));
    list.data.push(...more.data);
    list.next_cursor = more.next_cursor;
  }
  return list;
}

export type { MethodInfo };

export type Gpu = Plan["estimate"]["device"];
export const GPUS: Gpu[] = ["h100", "a100", "l40s", "rtx4090", "cpu"];

/** What a dry run says: a plan, or what is wrong with the spec. */
export type Checked = { plan: Plan; errors: [] } | { plan: null; errors: FieldError[] };

export async function checkSpec(spec: unknown, gpu: Gpu | null): Promise<Checked> {
  try {
    const answer = await send("POST", `/runs${queryOf({ dry_run: true, gpu })}`, spec);
    return { plan: (await answer.json()) as Plan, errors: [] };
  } catch (e) {
    const errors = errorsOf(e);
    if (errors.length === 0) throw e;
    return { plan: null, errors };
  }
}

/** The fields that an answer blames; none if it is not about fields. */
export const errorsOf = (e: unknown): FieldError[] =>
  e instanceof ApiError && e.status === 422 ? (e.errors ?? []) : [];

/** Sent again with the same key, it makes nothing new and answers with what it made. */
export async function sendOrder({ path, body }: Order, key: string): Promise<{ id: string }> {
  return (await (await send("POST", path, body, { "Idempotency-Key": key })).json()) as { id: string };
}
