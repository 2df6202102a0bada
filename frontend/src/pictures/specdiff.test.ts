import { expect, it } from "vitest";
import { isDerived, leaves, specRows } from "./specdiff";

it("a list of plain values is one field, a list of objects is many", () => {
  const fields = leaves({ clip: [0.2, 0.3], slots: [{ ratio: 0 }, { ratio: 1 }], none: {}, note: null });
  expect([...fields]).toEqual([
    ["clip", "[0.2,0.3]"],
    ["slots.0.ratio", "0"],
    ["slots.1.ratio", "1"],
    ["none", "{}"],
    ["note", "null"],
  ]);
});

it("only fields that differ make rows; names and tags never do", () => {
  const specs = [
    [{ name: "a", tags: ["x"], steps: 10, optimizer: { lr: 1e-6, eps: 1 } }],
    [{ name: "b", tags: [], steps: 10, optimizer: { lr: 2e-6, eps: 1 } }],
  ];
  const rows = specRows(specs, [undefined, undefined]);
  expect(rows).toEqual([
    {
      path: "optimizer.lr",
      cells: [0.000001, 0.000002].map((v) => ({ text: JSON.stringify(v), derived: false, chosen: false })),
    },
  ]);
});

it("a field that one of them lacks differs", () => {
  const rows = specRows([[{ a: 1 }], [{}]], [undefined, undefined]);
  expect(rows[0]!.cells.map((cell) => cell.text)).toEqual(["1", "–"]);
});

it("seeds of a group stand in one cell, in order", () => {
  const rows = specRows([[{ seed: 10 }, { seed: 2 }], [{ seed: 2 }]], [undefined, undefined]);
  expect(rows[0]).toMatchObject({ path: "seed", cells: [{ text: "2, 10" }, { text: "2" }] });
});

it("what a method stands for is marked and comes last; a value set by hand is not", () => {
  const trapo = { guidance: { threshold: 0.5, cut: "token" } };
  const grpo = { guidance: { threshold: 0, cut: "token" } };
  const specs = [
    [{ guidance: { threshold: 0.5, cut: "any" }, method: "trapo" }],
    [{ guidance: { threshold: 0, cut: "token" }, method: "grpo" }],
  ];
  const rows = specRows(specs, [trapo, grpo]);
  expect(rows.map((row) => row.path)).toEqual(["method", "guidance.cut", "guidance.threshold"]);
  expect(rows[1]!.cells.map((cell) => cell.derived)).toEqual([false, true]);
  expect(rows.map(isDerived)).toEqual([false, false, true]);
});

it("the default of a slot that only one method has follows from the method; another value of it does not", () => {
  const [trapo, grpo] = [{ slots: [{ ratio: 0 }, { ratio: 0.5 }] }, { slots: [{ ratio: 0 }] }];
  const slots = (cut: boolean) => [{ slots: [{ ratio: 0 }, { ratio: 0.5, cut }] }];
  const rows = specRows([slots(false), slots(false), [{ slots: [{ ratio: 0 }] }]], [trapo, trapo, grpo]);
  expect(rows.map((row) => [row.path, isDerived(row)])).toEqual([
    ["slots.1.ratio", true],
    ["slots.1.cut", true],
  ]);
  expect(specRows([slots(false), slots(true)], [trapo, trapo]).map(isDerived)).toEqual([false]);
});
