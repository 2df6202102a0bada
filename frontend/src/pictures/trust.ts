/** The trust region as one drawing: where the probabilities of the expert's tokens lie, all of them on top and by place
 *  in the trace below; what is under alpha is held back and has the other colour. */
import { count, percent } from "../format";
import type { TrustRegion } from "../types";
import type { Drawing, Mark } from "./marks";
import type { Table } from "./table";

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** All places together. */
export const totals = ({ counts, edges }: TrustRegion): number[] =>
  edges.slice(1).map((_, c) => sum(counts.map((row) => row[c] ?? 0)));

/** Share of tokens under alpha: of a row of places, or of all. */
export function shareBelow({ counts, inside }: TrustRegion, r?: number): number {
  const all = r === undefined ? sum(counts.map(sum)) : sum(counts[r] ?? []);
  const within = r === undefined ? sum(inside) : (inside[r] ?? 0);
  return all > 0 ? 1 - within / all : Number.NaN;
}

export function placeName({ first_places }: TrustRegion, r: number): string {
  const first = first_places[r]!;
  const last = first * 2 - 1; // by powers of two
  return first === last ? `token ${count(first)}` : `tokens ${count(first)}–${count(last)}`;
}

export interface TrustLayout {
  left: number;
  width: number;
  /** Of the histogram of all tokens, and of the first row below it. */
  top: number;
  rowsTop: number;
  rowHeight: number;
  right: number;
  bars: number;
}

const HISTOGRAM = 96;
const [TOP, GAP, AXIS, ROW] = [34, 30, 44, 24];

export function trustLayout(width: number): TrustLayout {
  const small = width < 560;
  const [left, bars, gap] = small ? [62, 62, 10] : [104, 150, 22];
  const plot = Math.max(80, width - left - bars - gap - 8);
  return {
    left,
    width: plot,
    top: TOP,
    rowsTop: TOP + HISTOGRAM + GAP,
    rowHeight: ROW,
    right: left + plot + gap,
    bars,
  };
}

/** p on the x axis, by its logarithm. */
export function pToX(l: TrustLayout, { edges }: TrustRegion, p: number): number {
  const [low, high] = [Math.log10(edges[0]!), Math.log10(edges.at(-1)!)];
  const at = (Math.log10(Math.max(p, edges[0]!)) - low) / (high - low);
  return l.left + at * l.width;
}

/** The cell under a point: row -1 is the histogram of all tokens; null outside. */
export function trustCell(l: TrustLayout, region: TrustRegion, x: number, y: number): [number, number] | null {
  const columns = region.edges.length - 1;
  const c = Math.floor(((x - l.left) / l.width) * columns);
  const r = y < l.rowsTop - GAP / 2 ? -1 : Math.floor((y - l.rowsTop) / l.rowHeight);
  if (c < 0 || c >= columns || r >= region.counts.length || (y > l.rowsTop - GAP / 2 && y < l.rowsTop)) return null;
  return [r, c];
}

export function drawTrust(region: TrustRegion, width: number, at: [number, number] | null = null): Drawing {
  const l = trustLayout(width);
  const alpha = region.alpha ?? 0;
  const bottom = l.rowsTop + region.counts.length * l.rowHeight;
  const edge = Math.min(l.left + l.width, pToX(l, region, alpha));
  const text = (x: number, y: number, said: string, anchor: "start" | "middle" | "end", fill = "ink-2"): Mark => ({
    kind: "text",
    x,
    y,
    text: said,
    fill,
    size: 12,
    anchor,
  });
  const marks: Mark[] = [
    ...histogram(l, region),
    ...rows(l, region, text),
    { kind: "path", d: `M${edge} ${l.top - 6}V${bottom}`, stroke: "ink", width: 1.5, dash: [4, 3] },
    text(edge, l.top - 12, `α = ${alpha}`, "middle", "ink"),
  ];
  if (l.width > 330) {
    marks.push(text(edge - 34, l.top - 12, "held back: weight p/α", "end"));
    if (l.left + l.width - edge > 90) marks.push(text(edge + 34, l.top - 12, "full weight", "start"));
  }
  for (let power = -6; power <= 0; power += l.width < 330 ? 2 : 1) {
    const x = pToX(l, region, 10 ** power);
    marks.push({ kind: "line", x1: x, x2: x, y1: bottom, y2: bottom + 5, stroke: "line", width: 1 });
    marks.push(text(x, bottom + 19, power === 0 ? "1" : `10${superscript(power)}`, "middle"));
  }
  marks.push(text(l.left + l.width / 2, bottom + 37, "probability p of the expert's token", "middle", "ink-3"));
  if (at) marks.push(...cursorMarks(l, region, at));
  return { width, height: bottom + AXIS, marks };
}

type Say = (x: number, y: number, said: string, anchor: "start" | "middle" | "end", fill?: string) => Mark;

const isBelow = ({ edges, alpha }: TrustRegion, c: number): boolean =>
  Math.sqrt(edges[c]! * edges[c + 1]!) < (alpha ?? 0);

function histogram(l: TrustLayout, region: TrustRegion): Mark[] {
  const all = totals(region);
  const most = Math.max(1, ...all);
  const each = l.width / all.length;
  const floor = l.top + HISTOGRAM;
  const bars = all.map((n, c): Mark => {
    const h = n ? Math.max(1, (n / most) * HISTOGRAM) : 0;
    const fill = isBelow(region, c) ? "run-b" : "run-a";
    return { kind: "rect", x: l.left + c * each + 1, y: floor - h, w: each - 2, h, fill, r: 1.5 };
  });
  return [...bars, { kind: "line", x1: l.left, x2: l.left + l.width, y1: floor, y2: floor, stroke: "line", width: 1 }];
}

function rows(l: TrustLayout, region: TrustRegion, text: Say): Mark[] {
  const each = l.width / (region.edges.length - 1);
  const short = l.left < 80;
  const marks: Mark[] = [text(l.right, l.rowsTop - 10, short ? "below α" : "share below α", "start", "ink-3")];
  if (!short) marks.push(text(l.left - 12, l.rowsTop - 10, "place in trace", "end", "ink-3"));
  region.counts.forEach((row, r) => {
    const y = l.rowsTop + r * l.rowHeight;
    const all = Math.max(1, sum(row));
    const name = placeName(region, r).replace(short ? /^tokens? / : /$^/, "");
    marks.push(text(l.left - 12, y + 16, name, "end"));
    marks.push({ kind: "rect", x: l.left, y: y + 1, w: l.width, h: l.rowHeight - 2, fill: "empty" });
    row.forEach((n, c) => {
      if (n === 0) return;
      const fill = isBelow(region, c) ? "run-b" : "run-a";
      // By the square root, so that the few tokens far out are seen beside the many near 1.
      const opacity = 0.06 + 0.94 * Math.sqrt(n / all);
      marks.push({ kind: "rect", x: l.left + c * each, y: y + 1, w: each, h: l.rowHeight - 2, fill, opacity });
    });
    const below = shareBelow(region, r);
    if (Number.isNaN(below)) return;
    const room = l.bars - 46;
    marks.push({
      kind: "rect",
      x: l.right,
      y: y + 5,
      w: Math.max(1, below * room),
      h: l.rowHeight - 10,
      fill: "run-b",
      r: 2,
    });
    marks.push(text(l.right + Math.max(1, below * room) + 6, y + 16, percent(below, 0), "start", "ink"));
  });
  return marks;
}

function cursorMarks(l: TrustLayout, region: TrustRegion, [r, c]: [number, number]): Mark[] {
  const each = l.width / (region.edges.length - 1);
  const x = l.left + c * each;
  const [y, h] = r < 0 ? [l.top, HISTOGRAM] : [l.rowsTop + r * l.rowHeight, l.rowHeight];
  return [{ kind: "path", d: `M${x} ${y}h${each}v${h}h${-each}Z`, stroke: "ink", width: 1.5 }];
}

const superscript = (power: number): string =>
  String(power)
    .replace("-", "⁻")
    .replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]!);

const small = (p: number): string => (p < 0.001 ? p.toExponential(1) : Number(p.toPrecision(2)).toString());

/** One cell with its exact numbers. */
export function describeTrust(region: TrustRegion, [r, c]: [number, number]): string {
  const row = r < 0 ? totals(region) : region.counts[r];
  if (!row || c >= row.length) return "";
  const [n, all] = [row[c] ?? 0, sum(row)];
  const [low, high] = [region.edges[c]!, region.edges[c + 1]!];
  const range = c === 0 ? `p below ${small(high)}` : `p ${small(low)} to ${small(high)}`;
  const alpha = region.alpha ?? 0;
  const weight = low >= alpha * 0.999 ? "full weight" : `weight at most ${small(Math.min(1, high / alpha))}`;
  const where = r < 0 ? "All places" : placeName(region, r).replace(/^t/, "T");
  return `${where}, ${range}: ${percent(all ? n / all : 0)} (${count(n)} of ${count(all)} tokens), ${weight}`;
}

export function summarizeTrust(region: TrustRegion): string {
  const all = sum(region.counts.map(sum));
  if (region.alpha === null || all === 0) return "No expert token has come before the loss yet.";
  const span =
    region.from_step === region.to_step
      ? `step ${count(region.to_step)}`
      : `steps ${count(region.from_step)}–${count(region.to_step)}`;
  const part =
    region.steps < region.steps_told ? `, ${count(region.steps)} of ${count(region.steps_told)} evenly spread` : "";
  return `${percent(shareBelow(region))} of the expert's tokens lie below α = ${region.alpha} and are held back. It rests on ${count(all)} tokens of ${span}${part}.`;
}

export function trustTable(region: TrustRegion): Table {
  const rows = region.counts.flatMap((row, r) =>
    row.map((n, c) => [
      placeName(region, r),
      c === 0 ? 0 : region.edges[c]!,
      region.edges[c + 1]!,
      n,
      shareBelow(region, r),
    ]),
  );
  return { head: ["place in the trace", "p from", "p to", "tokens", "share of the row below alpha"], rows };
}
