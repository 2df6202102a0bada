import { expect, it } from "vitest";
import type { RolloutDetail } from "../types";
import { describeToken, firstDifference, piecesOf, SCALES, type Token, tintOf, tokensOf, tokenTable } from "./tokens";

const token = (text: string, values: Partial<Token> = {}): Token => ({
  id: text.length,
  text,
  expert: false,
  p: 0.5,
  kernel: null,
  advantage: 0.25,
  entropy: 1.2,
  ...values,
});

it("facts become tokens, and none without texts", () => {
  const tokens = {
    token_ids: [7, 8],
    texts: ["We", " add"],
    guided: [true, false],
    p: [0.1, null],
    kernel_weights: [1, null],
    advantages: [null, -0.5],
    entropies: [0.2, 0.3],
  };
  const [first, second] = tokensOf({ tokens } as RolloutDetail)!;
  expect(first).toEqual({ id: 7, text: "We", expert: true, p: 0.1, kernel: 1, advantage: null, entropy: 0.2 });
  expect(second!.advantage).toBe(-0.5);
  expect(tokensOf({ tokens: { ...tokens, texts: null } } as RolloutDetail)).toBeNull();
});

it("a scale has a label and a tint for every class", () => {
  for (const scale of Object.values(SCALES)) {
    expect(scale.labels).toHaveLength(scale.edges.length + 1);
    expect(scale.tints).toHaveLength(scale.edges.length + 1);
  }
  expect([0, 0.001, 0.5, 0.95].map((p) => tintOf(token("a", { p }), "p"))).toEqual(["t6", "t5", "t2", "t0"]);
  expect([-2, 0, 0.25, 3].map((advantage) => tintOf(token("a", { advantage }), "advantage"))).toEqual([
    "n3",
    "t0",
    "t2",
    "t6",
  ]);
  expect([tintOf(token("a"), "kernel"), tintOf(token("a"), null)]).toEqual(["", ""]);
});

it("pieces hold every token once and break paragraphs only at newlines", () => {
  const words = Array.from({ length: 1000 }, (_, i) => token(i % 100 === 99 ? ".\n" : " w"));
  const pieces = piecesOf(words, 0, 1000);
  expect(pieces).toHaveLength(10);
  expect(pieces.every((piece) => piece.paragraph)).toBe(true);
  const cut = piecesOf(words, 0, 1000, 150);
  expect(cut.map((piece) => [piece.from, piece.to, piece.paragraph]).slice(0, 3)).toEqual([
    [0, 100, true],
    [100, 150, false],
    [150, 200, false],
  ]);
  const line = piecesOf(
    Array.from({ length: 900 }, () => token(" w")),
    0,
    900,
  );
  expect(line.map((piece) => [piece.to, piece.paragraph])).toEqual([
    [400, false],
    [800, false],
    [900, false],
  ]);
});

it("two rollouts part at the first token that differs", () => {
  const [a, b, c] = [token("a"), token("bb"), token("ccc")];
  expect(firstDifference([a, b, c], [a, c, b])).toBe(1);
  expect(firstDifference([a, b], [a, b, c])).toBe(2);
  expect(firstDifference([a, b], [a, b])).toBeNull();
});

it("a token is read with all that is known of it", () => {
  const tokens = [token(" the\u202e", { expert: true, kernel: 0.0001, advantage: null, id: 262 }), token("")];
  expect(describeToken(tokens, 0)).toBe(
    'Token 1 of 2, expert\'s: " the⟨U+202E⟩" · p 0.5000 · kernel weight 1.00e-4 · entropy 1.2000 nats · id 262',
  );
  expect(describeToken(tokens, 1)).toContain("part of the next character");
  expect(describeToken(tokens, 2)).toBe("");
  expect(tokenTable(tokens).rows[0]).toEqual([1, "expert", '" the⟨U+202E⟩"', 262, 0.5, 0.0001, null, 1.2]);
});
