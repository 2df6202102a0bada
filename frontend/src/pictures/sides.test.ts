import { expect, it } from "vitest";
import type { RunDetail } from "../types";
import { sidesOf, styleOf } from "./sides";

const run = (id: string, name: string, spec: object): RunDetail => ({ id, name, kind: "train", spec }) as RunDetail;
const runs = [
  run("run_1", "chains, seed 1", { seed: 1, name: "chains, seed 1", tags: ["a"], optimizer: { lr: 1, eps: 2 } }),
  run("run_2", "other", { seed: 1, optimizer: { lr: 2, eps: 2 } }),
  run("run_3", "chains, seed 2", { optimizer: { eps: 2, lr: 1 }, seed: 2, name: "x", tags: [] }),
];

it("runs that differ only in seed, name and tags are one side", () => {
  const sides = sidesOf(runs, [0, 1, 2], false);
  expect(sides.map((side) => [side.label, side.runs.map((r) => r.id)])).toEqual([
    ["chains, 2 seeds", ["run_1", "run_3"]],
    ["other", ["run_2"]],
  ]);
});

it("each run alone, where that is asked for", () => {
  expect(sidesOf(runs, [0, 1, 2], true).map((side) => side.label)).toEqual([
    "chains, seed 1",
    "other",
    "chains, seed 2",
  ]);
});

it("a run keeps its looks when another is hidden, and runs of one name can be told apart", () => {
  const all = sidesOf(runs, [0, 1, 2], true);
  const some = sidesOf([runs[0]!, runs[2]!], [0, 2], true);
  expect(some[1]).toEqual(all[2]);
  const twins = [run("run_aaaaaa", "twin", { seed: 1, a: 1 }), run("run_bbbbbb", "twin", { seed: 1, a: 2 })];
  expect(sidesOf(twins, [0, 1], false).map((side) => side.label)).toEqual(["twin (aaaaaa)", "twin (bbbbbb)"]);
});

it("imports without a spec are never seeds of each other", () => {
  expect(sidesOf([run("run_1", "a", {}), run("run_2", "b", {})], [0, 1], false)).toHaveLength(2);
});

it("20 runs look different, and neighbours differ in colour and in stroke", () => {
  const styles = Array.from({ length: 20 }, (_, i) => styleOf(i));
  expect(new Set(styles.map((style) => JSON.stringify(style))).size).toBe(20);
  styles.slice(1).forEach((style, i) => {
    expect(style.color).not.toBe(styles[i]!.color);
    expect(style.dash).not.toEqual(styles[i]!.dash);
  });
});
