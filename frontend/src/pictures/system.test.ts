import { expect, test } from "vitest";
import type { Delivery, SystemState } from "../types";
import { conditionOf, deliveryWords, gpusOf, leaseWords, strayGpus, troublesOf } from "./system";

const worker = {
  id: "w",
  host: "h",
  gpus: 4,
  slots: 4,
  heartbeat_at: "2026-01-01T00:00:00Z",
  alive: true,
  problem: null,
  run_ids: ["a"],
  free_bytes: 9e9,
};
const held = {
  run_id: "a",
  name: "run a",
  state: "running" as const,
  desired: "run" as const,
  step: 1,
  total_steps: 9,
  worker_id: "w",
  host: "h",
  attempt: 1,
  gpu_ids: ["10", "2"],
  expires_in_s: 20,
};
const state: SystemState = {
  workers: [worker],
  held: [held],
  gpus: { "h/2": "a", "h/10": "a", "gone/0": "b" },
  queue: [],
  queued: 0,
  free_bytes: 9e9,
  min_free_bytes: 1e9,
  lease_s: 60,
};

test("the GPUs of a worker, held ones first", () => {
  expect(gpusOf(worker, [held, { ...held, host: "other" }]).map((gpu) => [gpu.name, gpu.run?.run_id])).toEqual([
    ["2", "a"],
    ["10", "a"],
    ["free", undefined],
    ["free", undefined],
  ]);
  expect(strayGpus(state)).toEqual([["gone/0", "b"]]);
});

test("what is wrong is said, and nothing when all is well", () => {
  expect(troublesOf(state)).toEqual([]);
  expect(troublesOf({ ...state, workers: [] })[0]).toMatch("No worker is there");
  expect(troublesOf({ ...state, workers: [{ ...worker, problem: "Deaf" }], free_bytes: 1 })).toHaveLength(2);
  expect(conditionOf({ ...worker, alive: false, problem: "Silent" })).toBe("silent");
  expect(conditionOf({ ...worker, problem: "Deaf" })).toBe("troubled");
});

test("leases and deliveries in words", () => {
  expect([leaseWords(20), leaseWords(-1), leaseWords(null)]).toEqual(["20 s left", "expired", "no lease"]);
  const sent: Delivery = {
    id: "m",
    created_at: "",
    attempts: 1,
    due_at: null,
    delivered_at: "2026-01-01T00:00:00Z",
    last_error: null,
  };
  expect(deliveryWords(sent)).toBe("delivered");
  expect(deliveryWords({ ...sent, delivered_at: null, attempts: 16, last_error: "500" })).toBe(
    "given up after 16 tries: 500",
  );
  expect(deliveryWords({ ...sent, delivered_at: null, due_at: "x", attempts: 0 })).toBe("waits");
});
