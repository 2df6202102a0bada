import { beforeEach, expect, it } from "vitest";
import type { Run } from "../types";
import { putRow, store } from "./state";

const run = (attempts: number, step: number): Run => ({ id: "run_1", attempts, step, progress: null }) as Run;

beforeEach(() => store.rows.clear());

it("an answer that is older than the stream takes no step back", () => {
  putRow(run(1, 7));
  putRow(run(1, 5));
  expect(store.rows.get("run_1")!.step).toBe(7);
});

it("another attempt may begin before the step of the last", () => {
  putRow(run(1, 7));
  putRow(run(2, 5));
  expect(store.rows.get("run_1")!.step).toBe(5);
});
