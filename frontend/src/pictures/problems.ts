/** From a problem's visits to its strip: one column a visit, as high as the help it needed, in the colour of the
 *  shortest prefix that led to success. */
import { count, levelName, percent } from "../format";
import type { ProblemVisit, TrainedProblem } from "../types";
import type { Drawing, Mark } from "./marks";
import type { Table } from "./table";

export interface Outcome {
  step: number;
  /** Success rate of the samples without a prefix; null if there were none. */
  alone: number | null;
  /** Shortest prefix, as a share of the trace, with which a sample succeeded; null if none did. */
  solvedAt: number | null;
  /** Longest prefix that was given. */
  given: number;
  /** Share of the trace that a sample is expected to need; the api's `help`, of this one visit. */
  help: number;
  reward: number;
  samples: number;
}

/** The same arithmetic as `runs/record/problems.py`, for one visit. */
export function outcomeOf({ step, samples, ratios, rewards }: ProblemVisit): Outcome {
  const by = new Map<number, { n: number; reward: number }>();
  samples.forEach((n, i) => {
    const sum = by.get(ratios[i]!) ?? { n: 0, reward: 0 };
    by.set(ratios[i]!, { n: sum.n + n, reward: sum.reward + rewards[i]! });
  });
  const levels = [...by].filter(([, { n }]) => n > 0).sort(([a], [b]) => a - b);
  const rate = ({ n, reward }: { n: number; reward: number }): number => Math.min(1, Math.max(0, reward / n));
  let help = 0;
  levels.forEach(([ratio, sum], i) => {
    help += (1 - rate(sum)) * ((levels[i + 1]?.[0] ?? 1) - (i === 0 ? 0 : ratio));
  });
  const alone = by.get(0);
  return {
    step,
    help,
    alone: alone && alone.n > 0 ? rate(alone) : null,
    solvedAt: levels.find(([, sum]) => sum.reward > 0)?.[0] ?? null,
    given: Math.max(0, ...levels.map(([ratio]) => ratio)),
    reward: rewards.reduce((a, b) => a + b, 0),
    samples: samples.reduce((a, b) => a + b, 0),
  };
}

export interface Kind {
  name: string;
  color: string;
}

/** Alone, with part of the trace, only with all of it, not at all: each a colour, and a height of its own. */
export const KINDS = {
  alone: { name: "solved alone", color: "run-a" },
  part: { name: "with a part of the trace", color: "level-1" },
  half: { name: "with half of it or more", color: "level-2" },
  whole: { name: "only with all of it", color: "level-3" },
  never: { name: "not at all", color: "bad" },
} satisfies Record<string, Kind>;

export function kindOf({ solvedAt }: Outcome): Kind {
  if (solvedAt === null) return KINDS.never;
  if (solvedAt === 0) return KINDS.alone;
  return solvedAt < 0.5 ? KINDS.part : solvedAt < 1 ? KINDS.half : KINDS.whole;
}

export const CELL = 9;
export const STRIP_HEIGHT = 30;
const BASE = 2; // of a visit that needed nothing: it was there, and was right

export const stripWidth = (visits: number): number => visits * CELL;

/** Newest at the right edge, so that the strips of a list end together. */
export function stripMarks(outcomes: readonly Outcome[], visits: number, left = 0, top = 0): Mark[] {
  const shown = outcomes.slice(-visits);
  const room = STRIP_HEIGHT - BASE;
  const bottom = top + STRIP_HEIGHT;
  const marks: Mark[] = [
    { kind: "rect", x: left, y: top, w: stripWidth(visits), h: STRIP_HEIGHT, fill: "empty", r: 3 },
  ];
  shown.forEach((outcome, i) => {
    const x = left + (visits - shown.length + i) * CELL + 1;
    const h = BASE + outcome.help * room;
    const { color } = kindOf(outcome);
    marks.push({ kind: "rect", x, y: bottom - h, w: CELL - 2, h, fill: color, r: 1 });
    // Nothing helped: a cross as well, for whoever does not see the red.
    if (outcome.solvedAt === null)
      marks.push({ kind: "path", d: `M${x + 1.5} ${top + 4}l4 4m0 -4l-4 4`, stroke: "card", width: 1.5 });
  });
  return marks;
}

/** The visit under a point of the strip; -1 where none is. */
export const visitAt = (x: number, held: number, visits: number): number =>
  Math.floor(x / CELL) - (visits - Math.min(held, visits));

export function describeVisit(o: Outcome): string {
  const alone = o.alone === null ? "" : `, ${percent(o.alone, 0)} right alone`;
  const how =
    o.solvedAt === null
      ? "no sample right"
      : o.solvedAt === 0
        ? "solved without a prefix"
        : `first solved with ${levelName(o.solvedAt)}`;
  const given = o.given > 0 ? `, up to ${levelName(o.given)} given` : "";
  return `step ${count(o.step)}: ${how}${alone}${given}; reward ${Number(o.reward.toFixed(2))} of ${o.samples} samples`;
}

/** A problem's way in a sentence. */
export function describeStrip(outcomes: readonly Outcome[]): string {
  const last = outcomes.at(-1);
  if (!last) return "No visit yet.";
  const alone = outcomes.filter((o) => o.solvedAt === 0).length;
  return `Of the last ${outcomes.length} visits ${alone} were solved alone. Latest, ${describeVisit(last)}.`;
}

/** How many problems need how much, in words; `shares` are tenths of the trace. */
export function summarizeShares(shares: readonly number[]): string {
  const all = shares.reduce((a, b) => a + b, 0);
  if (all === 0) return "No problem has been visited yet.";
  const much = shares.slice(5).reduce((a, b) => a + b, 0);
  return `Of ${count(all)} problems seen so far, ${count(shares[0] ?? 0)} need less than a tenth of the expert's trace, ${count(much)} need half of it or more.`;
}

export function problemTable(problems: readonly TrainedProblem[]): Table {
  return {
    head: ["problem", "text", "step", "help", "right alone", "shortest prefix that helped", "longest given", "reward"],
    rows: problems.flatMap((problem) =>
      problem.history.map(outcomeOf).map((o) => {
        const numbers = [o.step, o.help, o.alone, o.solvedAt, o.given, o.reward];
        return [problem.problem, problem.text, ...numbers];
      }),
    ),
  };
}

/** The list as a drawing, for the files. */
export function drawProblems(problems: readonly TrainedProblem[], visits: number, width: number): Drawing {
  const line = STRIP_HEIGHT + 10;
  const left = width - stripWidth(visits) - 60;
  const letters = Math.floor((left - 20) / 6.6);
  const marks = problems.flatMap((problem, i): Mark[] => {
    const y = i * line;
    const said = `${problem.problem}  ${problem.text.replace(/\s+/g, " ")}`;
    const text = said.length > letters ? `${said.slice(0, letters - 1)}…` : said;
    const help = { kind: "text", x: width, y: y + 20, text: percent(problem.help, 0), fill: "ink", size: 12 } as const;
    return [
      { kind: "text", x: 0, y: y + 20, text, fill: "ink-2", size: 12, anchor: "start" },
      ...stripMarks(problem.history.map(outcomeOf), visits, left, y),
      { ...help, anchor: "end" },
    ];
  });
  return { width, height: problems.length * line, marks };
}
