import { expect, it } from "vitest";
import { type MathNode, parseMath, spansOf } from "./latex";

const flat = (node: MathNode | null): string =>
  node === null
    ? "null"
    : typeof node.parts === "string"
      ? node.parts
      : `${node.tag}(${node.parts.map(flat).join(" ")})`;

it("the small part of LaTeX that most answers are written in", () => {
  const written: [string, string][] = [
    ["\\frac{1}{2}x", "mrow(mfrac(1 2) x)"],
    ["x^2 + y_1^{n+1}", "mrow(msup(x 2) + msubsup(y 1 mrow(n + 1)))"],
    ["\\sqrt[3]{8} \\le \\pi", "mrow(mroot(8 3) ≤ π)"],
    ["\\boxed{\\text{two thirds}}", "boxed(two thirds)"],
  ];
  for (const [source, tree] of written) expect(flat(parseMath(source))).toBe(tree);
});

it("what is beyond it stays text", () => {
  for (const source of [
    "\\begin{array}1",
    "x^",
    "{x",
    "x}",
    "\\href{javascript:1}{x}",
    "a^b^c",
    "\\frac{1}",
    "\\frac12",
    "&",
  ])
    expect(parseMath(source)).toBeNull();
  expect(parseMath("{".repeat(5000))).toBeNull();
  expect(parseMath("\\constructor")).toBeNull();
});

it("formulas are found in a text, and nothing is lost", () => {
  const spans = spansOf("So \\(x^2\\) is $4$, \\[\\boxed{2}\\] for $5 and \\(\\unknown\\).");
  expect(spans.map((span) => ("text" in span ? span.text : span.source)).join("")).toBe(
    "So \\(x^2\\) is $4$, \\[\\boxed{2}\\] for $5 and \\(\\unknown\\).",
  );
  expect(spans.filter((span) => "math" in span).map((span) => "block" in span && span.block)).toEqual([
    false,
    false,
    true,
  ]);
});

it("text without an end takes no time", () => {
  const begin = performance.now();
  spansOf("\\(".repeat(50_000));
  spansOf("$x ".repeat(50_000));
  expect(performance.now() - begin).toBeLessThan(2000);
});
