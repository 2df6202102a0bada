import { beforeEach, expect, it, vi } from "vitest";
import * as readings from "../api/readings";
import * as api from "../api/runs";
import type { Compared } from "../live";
import type { RunDetail, RunEvent } from "../types";
import { openCompared, showGuidance } from "./compared";
import { tellReaders } from "./opened";
import { store } from "./state";

vi.mock("../api/runs");
vi.mock("../api/readings", { spy: true });

const KEY = "reward/unguided";
const step = (at: number): RunEvent => ({
  ...{ seq: at, run_id: "run_1", ts: "2026-01-01T00:00:00Z", type: "step" },
  data: { step: at, seconds: 1, metrics: { [KEY]: at / 10 } },
});
const ready = (): Compared => {
  const one = store.compared.get("run_1");
  if (one?.state !== "ready") throw new Error(one?.state);
  return one.value;
};
let answer: (() => void) | undefined;

beforeEach(async () => {
  answer = undefined;
  vi.stubGlobal("window", { setTimeout: () => 0 });
  vi.mocked(api.getRun).mockReset();
  vi.mocked(api.getRun).mockResolvedValue({ id: "run_1", step: 2, total_steps: 9 } as RunDetail);
  vi.mocked(readings.getGuidance).mockResolvedValue({ data: [], steps_per_bucket: 3 } as never);
  vi.mocked(readings.querySeries).mockImplementation(async () => new Map([[KEY, { steps: [1], values: [0.1] }]]));
  store.compared.clear();
  await openCompared("run_1");
  await showGuidance("run_1");
  await ready().curves.show([KEY], 1);
  // From now on the curves are answered when the test says so.
  const column = { steps: [1, 2], values: [0.1, 0.2] };
  vi.mocked(readings.querySeries).mockImplementation(
    () =>
      new Promise((done) => {
        answer = () => done(new Map([[KEY, column]]));
      }),
  );
});

it("a step that comes while a compared run is read again is in its curves", async () => {
  const again = openCompared("run_1");
  await vi.waitFor(() => expect(answer).toBeDefined());
  tellReaders(step(3));
  answer?.();
  await again;
  expect(ready().curves.raw.get(KEY)?.steps).toEqual([1, 2, 3]);
  expect(ready().detail.step).toBe(3);
});

it("it is read once at a time, and its guidance stays on the screen meanwhile", async () => {
  const both = Promise.all([openCompared("run_1"), openCompared("run_1")]);
  await vi.waitFor(() => expect(answer).toBeDefined());
  vi.mocked(readings.getGuidance).mockReturnValue(new Promise(() => {}));
  answer?.();
  await both;
  expect(api.getRun).toHaveBeenCalledTimes(2); // at first, and again
  expect(ready().guidance?.perBucket).toBe(3);
});
