import { beforeEach, expect, it, vi } from "vitest";
import { querySeries } from "./api/readings";
import { Curves } from "./curves";
import type { Column } from "./types";

vi.mock("./api/readings", () => ({ querySeries: vi.fn() }));
const query = vi.mocked(querySeries);
const answer = (column: object): Map<string, Column> => new Map([["a", structuredClone(column) as Column]]);

let curves: Curves;
beforeEach(() => {
  curves = new Curves("run_1");
  query.mockReset();
});

it("a curve is read once and then grows by events", async () => {
  query.mockResolvedValue(answer({ steps: [1, 2], values: [1, 2] }));
  await curves.show(["a"], 1);
  await curves.show(["a"], 1);
  expect(query).toHaveBeenCalledTimes(1);
  curves.add(3, { a: 3, b: 1 });
  expect(curves.raw.get("a")).toEqual({ steps: [1, 2, 3], values: [1, 2, 3] });
  expect(curves.raw.has("b")).toBe(false);
});

it("steps that come while a curve is read are not lost and not doubled", async () => {
  query.mockImplementation(async () => {
    curves.add(2, { a: 2 });
    curves.add(3, { a: 3 });
    return answer({ steps: [1, 2], values: [1, 2] });
  });
  await curves.show(["a"], 1);
  expect(curves.raw.get("a")!.values).toEqual([1, 2, 3]);
});

it("a smoothed curve goes on from the last steps themselves, also where the history is in buckets", async () => {
  query.mockImplementation(async (_id, _keys, how = {}) => {
    if (how.smooth) return answer({ steps: [50, 100], values: [0, 0] });
    if (how.from_step) return answer({ steps: [98, 99, 100], values: [7, 8, 9] });
    return answer({ steps: [50, 100], values: [0, 0], low: [0, 7], high: [1, 9] });
  });
  await curves.show(["a"], 3);
  await curves.tailing;
  curves.add(101, { a: 10 });
  expect(curves.smoothed.get("a")).toEqual({ steps: [50, 100, 101], values: [0, 0, 9] });
  curves.cut(99);
  expect(curves.smoothed.get("a")!.steps).toEqual([50]);
});

it("a failure is held and the next asking tries again", async () => {
  query.mockRejectedValueOnce(new Error("away"));
  await curves.show(["a"], 1);
  expect(curves.error?.message).toBe("away");
  query.mockResolvedValue(answer({ steps: [1], values: [1] }));
  await curves.show(["a"], 1);
  expect(curves.error).toBeNull();
});
