/** From the facts of a rollout's tokens to coloured text: scales, pieces to draw, and each token in words. */
import { decimal } from "../format";
import type { RolloutDetail } from "../types";
import { plain } from "./plain";
import type { Table } from "./table";

export interface Token {
  id: number;
  text: string;
  expert: boolean;
  p: number | null;
  kernel: number | null;
  advantage: number | null;
  entropy: number | null;
}

/** Null for files of older versions, which do not say where a token begins. */
export function tokensOf({ tokens }: RolloutDetail): Token[] | null {
  const { texts } = tokens;
  if (!texts) return null;
  return texts.map((text, i) => ({
    id: tokens.token_ids[i]!,
    text,
    expert: tokens.guided[i]!,
    p: tokens.p[i] ?? null,
    kernel: tokens.kernel_weights[i] ?? null,
    advantage: tokens.advantages[i] ?? null,
    entropy: tokens.entropies[i] ?? null,
  }));
}

export type Measure = "p" | "kernel" | "advantage" | "entropy";

/** Classes of a measure, each with its bounds in words; `tints` names their colours in Rollouts.css. */
export interface Scale {
  title: string;
  note: string;
  edges: number[];
  labels: string[];
  tints: string[];
}

const UP = ["t0", "t1", "t2", "t3", "t4", "t5", "t6"];

/** Fixed for all rollouts, so that two of them can be compared. The rare and strong is what is coloured. */
export const SCALES: Record<Measure, Scale> = {
  p: {
    title: "p",
    note: "probability under the policy before the step",
    edges: [0.001, 0.01, 0.1, 0.3, 0.6, 0.9],
    labels: ["< 0.001", "0.001", "0.01", "0.1", "0.3", "0.6", "≥ 0.9"],
    tints: UP.toReversed(),
  },
  kernel: {
    title: "kernel weight",
    note: "k(p), how much an expert token teaches",
    edges: [0.05, 0.1, 0.25, 0.5, 0.75, 0.999],
    labels: ["< 0.05", "0.05", "0.1", "0.25", "0.5", "0.75", "1"],
    tints: UP,
  },
  advantage: {
    title: "advantage",
    note: "of the model's own tokens, in this group",
    edges: [-1, -0.4, -0.001, 0.001, 0.4, 1],
    labels: ["< −1", "−1", "−0.4", "0", "> 0", "0.4", "≥ 1"],
    tints: ["n3", "n2", "n1", "t0", "t2", "t4", "t6"],
  },
  entropy: {
    title: "entropy",
    note: "in nats, of the distribution that the token came from",
    edges: [0.05, 0.2, 0.5, 1, 1.5, 2.5],
    labels: ["< 0.05", "0.05", "0.2", "0.5", "1", "1.5", "≥ 2.5"],
    tints: UP,
  },
};

/** The class of colour of a token; none where the measure says nothing of it. */
export function tintOf(token: Token, measure: Measure | null): string {
  const value = measure && token[measure];
  if (measure === null || value === null || Number.isNaN(value)) return "";
  const { edges, tints } = SCALES[measure];
  return tints[edges.filter((edge) => value >= edge).length]!;
}

/** Tokens [from, to). A whole paragraph can be left undrawn while it is out of view; a part of a line cannot. */
export interface Piece {
  from: number;
  to: number;
  paragraph: boolean;
}

const LONGEST = 400;

/** Cut after newlines, at `cuts`, and not to be too long. A paragraph begins and ends with a line. */
export function piecesOf(tokens: readonly Token[], from: number, to: number, cut: number | null = null): Piece[] {
  const pieces: Piece[] = [];
  let [start, lineStart] = [from, true];
  for (let i = from; i < to; i += 1) {
    const newline = tokens[i]!.text.endsWith("\n");
    const long = i + 1 - start >= LONGEST;
    // Short lines stay together: a paragraph of a few words is not worth a box.
    if (i + 1 === to || i + 1 === cut || long || (newline && i + 1 - start >= 40)) {
      pieces.push({ from: start, to: i + 1, paragraph: lineStart && (newline || i + 1 === to) });
      [start, lineStart] = [i + 1, newline];
    }
  }
  return pieces;
}

/** Where two rollouts part: the first token that is not the same; null for equal ones. */
export function firstDifference(a: readonly Token[], b: readonly Token[]): number | null {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i += 1) if (a[i]!.id !== b[i]!.id) return i;
  return a.length === b.length ? null : end;
}

export function describeToken(tokens: readonly Token[], i: number): string {
  const token = tokens[i];
  if (!token) return "";
  const said = token.text === "" ? "part of the next character" : JSON.stringify(plain(token.text));
  const facts: [string, number | null, string][] = [
    ["p", token.p, ""],
    ["kernel weight", token.kernel, ""],
    ["advantage", token.advantage, ""],
    ["entropy", token.entropy, " nats"],
  ];
  const known = facts.flatMap(([name, value, unit]) => (value === null ? [] : [`${name} ${exact(value)}${unit}`]));
  const whose = token.expert ? "expert's" : "model's own";
  return `Token ${i + 1} of ${tokens.length}, ${whose}: ${said} · ${known.join(" · ") || "nothing known"} · id ${token.id}`;
}

/** Four decimals, or what is left of a very small number. */
const exact = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(2) : decimal(value, 4);

export const tokenTable = (tokens: readonly Token[]): Table => ({
  head: ["token", "whose", "text", "id", "p", "kernel weight", "advantage", "entropy"],
  rows: tokens.map((t, i) => [
    i + 1,
    t.expert ? "expert" : "model",
    JSON.stringify(plain(t.text)),
    t.id,
    t.p,
    t.kernel,
    t.advantage,
    t.entropy,
  ]),
});
