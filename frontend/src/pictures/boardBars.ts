/** One set of the board as horizontal bars with their intervals. */
import { percent } from "../format";
import {
  deltaWords,
  intervalWords,
  isSmall,
  type ScoreSet,
  type Standing,
  sizeWords,
  type Verdict,
  verdictWords,
} from "./board";
import type { Mark } from "./marks";
import type { ScorePicture } from "./scores";

const ROW = 46;
const NARROW_ROW = 74;
const TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** What cannot be told apart from the baseline or the best, or does not compare with it, is grey; the words beside it say so too. */
const COLORS: Record<Verdict, string> = {
  baseline: "run-b",
  better: "run-a",
  worse: "run-a",
  alone: "run-a",
  alike: "ink-3",
  near: "ink-3",
  apart: "ink-3",
  paper: "level-4",
};

export function drawBoard(set: ScoreSet, width: number, selected: number | null): ScorePicture {
  const narrow = width < 680;
  const deltas = set.rows.some((row) => row.cell.delta);
  const [left, right] = narrow ? [8, width - 12] : [320, width - (deltas ? 330 : 176)];
  const x = (score: number): number => left + score * (right - left);
  const marks: Mark[] = [];
  const rowTops: number[] = [];
  const row = narrow ? NARROW_ROW : ROW;
  let y = narrow ? 2 : 22;
  if (!narrow) {
    const head = { kind: "text", y: 14, fill: "ink-3", size: 12, anchor: "end" } as const;
    marks.push({ ...head, x: right + 66, text: "score" }, { ...head, x: right + 166, text: "interval, %" });
    if (deltas) marks.push({ ...head, x: width - 8, text: "difference, points" });
  }
  set.rows.forEach((one, i) => {
    rowTops.push(y);
    if (i === selected) marks.push({ kind: "rect", x: 0, y, w: width, h: row, fill: "hover", r: 6 });
    const track = narrow ? y + 54 : y + row / 2;
    for (const t of TICKS)
      marks.push({ kind: "line", x1: x(t), x2: x(t), y1: track - 16, y2: track + 16, stroke: "grid", width: 1 });
    marks.push(...label(one, y + (narrow ? 15 : 19), narrow ? width - 76 : left - 24, narrow));
    marks.push(...bar(one, track, x));
    marks.push(...numbers(one, narrow ? y + 15 : y + 27, right, width, narrow));
    y += row;
  });
  for (const t of TICKS) {
    const anchor = narrow && t === 0 ? "start" : narrow && t === 1 ? "end" : "middle";
    marks.push({ kind: "text", x: x(t), y: y + 16, text: `${Math.round(t * 100)} %`, fill: "ink-3", size: 12, anchor });
  }
  return { width, height: y + 24, marks, rowTops };
}

function label(row: Standing, y: number, width: number, narrow: boolean): Mark[] {
  const { cell, name, line } = row;
  const small = isSmall(cell) ? "small set" : "";
  const verdict = row.verdict === "paper" ? "published" : verdictWords(row);
  const size = narrow && cell.low != null ? `${sizeWords(cell)}, ${intervalWords(cell)} %` : sizeWords(cell);
  const method = line.method && !name.startsWith(line.method) ? line.method : "";
  const said = [size, small, verdict, method].filter(Boolean).join(" · ");
  const below = { kind: "text", x: 8, anchor: "start" } as const;
  const words = fit(said, narrow ? width + 60 : width, 6);
  return [
    { ...below, y, text: fit(name, width, 7), fill: "ink", size: 13, bold: true },
    { ...below, y: y + 16, text: words, fill: small && words.includes(small) ? "warn" : "ink-3", size: 11.5 },
  ];
}

/** A published score is a diamond without an interval; ours are dots on whiskers. */
function bar({ cell, verdict }: Standing, y: number, x: (score: number) => number): Mark[] {
  const color = COLORS[verdict];
  const at = x(cell.score);
  if (verdict === "paper")
    return [
      {
        kind: "path",
        d: `M${at} ${y - 7}L${at + 7} ${y}L${at} ${y + 7}L${at - 7} ${y}Z`,
        stroke: color,
        fill: "card",
        width: 2,
      },
    ];
  const marks: Mark[] = [{ kind: "rect", x: x(0), y: y - 7, w: at - x(0), h: 14, fill: color, opacity: 0.16, r: 2 }];
  const line = { kind: "line", stroke: color, width: 2 } as const;
  if (cell.low != null && cell.high != null) {
    const [low, high] = [x(cell.low), x(cell.high)];
    marks.push({ ...line, x1: low, x2: high, y1: y, y2: y });
    for (const end of [low, high]) marks.push({ ...line, x1: end, x2: end, y1: y - 5, y2: y + 5 });
  }
  const hollow = color === "ink-3";
  marks.push({ kind: "circle", cx: at, cy: y, r: 5, fill: hollow ? "card" : color, stroke: hollow ? color : "card" });
  return marks;
}

function numbers({ cell, verdict }: Standing, y: number, right: number, width: number, narrow: boolean): Mark[] {
  const end = { kind: "text", y, anchor: "end" } as const;
  const score: Mark = {
    ...end,
    x: narrow ? width - 8 : right + 66,
    text: percent(cell.score),
    fill: COLORS[verdict] === "ink-3" ? "ink-2" : COLORS[verdict],
    size: 13,
    bold: true,
  };
  if (narrow) return [score];
  const interval: Mark = { ...end, x: right + 166, text: intervalWords(cell), fill: "ink-2", size: 12 };
  const delta: Mark = {
    ...end,
    x: width - 8,
    text: deltaWords(cell),
    fill: verdict === "alike" ? "ink-3" : "ink",
    size: 12,
  };
  return cell.delta ? [score, interval, delta] : [score, interval];
}

/** As much as has room, by an estimate of the text's width; the reading and the table have all of it. */
const fit = (text: string, width: number, each: number): string => {
  const most = Math.max(8, Math.floor(width / each));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
};
