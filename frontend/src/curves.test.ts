import { beforeEach, expect, it, vi } from "vitest";
import { querySeries } from "./api/readings";
import { Curves } from "./curves";
import type { Column } from "./types";

vi.mock("./api/readings", () => ({ querySeries: vi.fn(), POINTS: 1000 }));
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

it("a page that stays open does not grow without end, and its smoothed curve goes on", async () => {
  curves = new Curves("run_1", { points: 10 });
  query.mockImplementation(async () => answer({ steps: [1, 2], values: [1, 2] }));
  await curves.show(["a"], 3);
  for (let step = 3; step <= 1000; step += 1) curves.add(step, { a: step });
  const [raw, smoothed] = [curves.raw.get("a")!, curves.smoothed.get("a")!];
  for (const { steps } of [raw, smoothed]) {
    expect(steps.length).toBeLessThanOrEqual(40);
    expect(steps.at(-1)).toBe(1000);
  }
  expect([raw.low![0], raw.high!.at(-1)]).toEqual([1, 1000]);
  curves.add(1001, { a: 1001 });
  expect(curves.smoothed.get("a")!.values.at(-1)).toBe(1000);
});

it("what is being read when events were missed is read again too", async () => {
  query.mockImplementation(async () => answer({ steps: [1], values: [1] }));
  const first = curves.show(["a"], 1);
  const fresh = await curves.again();
  await first;
  expect(fresh.raw.get("a")!.values).toEqual([1]);
});

it("a failure is held and the next asking tries again", async () => {
  query.mockRejectedValueOnce(new Error("away"));
  await curves.show(["a"], 1);
  expect(curves.errorOf(["a"])?.message).toBe("away");
  query.mockResolvedValue(answer({ steps: [1], values: [1] }));
  await curves.show(["a"], 1);
  expect(curves.errorOf(["a"])).toBeNull();
});

it("a failure is of the curves that were asked for, until they are there", async () => {
  query.mockRejectedValueOnce(new Error("away"));
  await curves.show(["a"], 1);
  query.mockResolvedValueOnce(new Map([["b", { steps: [1], values: [1] }]]));
  await curves.show(["b"], 1);
  expect([curves.errorOf(["a"])?.message, curves.errorOf(["b"])]).toEqual(["away", null]);
  query.mockResolvedValueOnce(answer({ steps: [1], values: [1] }));
  await curves.show(["a"], 1);
  expect(curves.errorOf(["a", "b"])).toBeNull();
});
