import { describe, expect, it } from "vitest";
import { commandOf, curlOf, keysFor, ordersOf, readSeeds } from "./orders";

const asked = { drafts: [{ steps: 1 }, { steps: 1 }], priority: 0, seeds: [], matrix: {}, clone: null };

describe("orders", () => {
  it("are one for each spec, a sweep, or a clone", () => {
    expect(ordersOf(asked)).toEqual([
      { path: "/runs", body: { steps: 1 } },
      { path: "/runs", body: { steps: 1 } },
    ]);
    expect(ordersOf({ ...asked, priority: 5 })[0]!.path).toBe("/runs?priority=5");
    expect(ordersOf({ ...asked, drafts: [{ steps: 1 }], seeds: [0, 1] })[0]).toMatchObject({
      path: "/sweeps",
      body: { seeds: [0, 1] },
    });
    expect(ordersOf({ ...asked, drafts: [{ steps: 1 }], matrix: { steps: [1, 2] } })[0]).toMatchObject({
      path: "/sweeps",
      body: { matrix: { steps: [1, 2] }, seeds: [] },
    });
    const clone = { id: "run_1", overrides: { steps: 2 }, fromCheckpoint: 4 };
    expect(ordersOf({ ...asked, clone })).toEqual([
      { path: "/runs/run_1/clone", body: { overrides: { steps: 2 }, from_checkpoint: 4, priority: 0 } },
    ]);
  });
  it("keep their keys as long as they are the same", () => {
    let n = 0;
    const make = () => `k${n++}`;
    const first = keysFor(ordersOf(asked), {}, make);
    expect(new Set(Object.values(first)).size).toBe(2);
    expect(keysFor(ordersOf(asked), first, make)).toEqual(first);
    const other = keysFor(ordersOf({ ...asked, priority: 1 }), first, make);
    expect(Object.values(other)).toEqual(["k2", "k3"]);
  });
  it("of a sweep are sent by its own command, with its fields and seeds", () => {
    expect(commandOf(ordersOf(asked))).toBe("trapo submit spec.yaml");
    expect(commandOf(ordersOf({ ...asked, priority: 5 }))).toBe("trapo submit spec.yaml --priority 5");
    expect(commandOf(ordersOf({ ...asked, seeds: [0, 1], priority: -2 }))).toBe(
      "trapo sweep spec.yaml --seeds 0,1 --priority -2",
    );
    const matrix = { "optimizer.lr": [0.001, 0.002], method: ["it's"] };
    expect(commandOf(ordersOf({ ...asked, drafts: [{ steps: 1 }], seeds: [0, 1], matrix }))).toBe(
      `trapo sweep spec.yaml --set 'optimizer.lr=0.001,0.002' --set 'method="it'\\''s"' --seeds 0,1`,
    );
  });
  it("are written for a shell, whatever a name holds", () => {
    expect(curlOf({ path: "/runs", body: { name: "it's" } }, "http://here")).toContain("it'\\''s");
  });
});

it("reads seeds", () => {
  expect(readSeeds("0, 2 4-6,2")).toEqual([0, 2, 4, 5, 6]);
  expect(readSeeds("")).toEqual([]);
  expect(readSeeds("x")).toBeNull();
  expect(readSeeds("5-1")).toBeNull();
});
