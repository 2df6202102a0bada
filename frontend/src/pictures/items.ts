/** What an evaluation's answers say at a glance: what was chosen, how often right, and how that went over steps. */
import { count } from "../format";
import type { EvaluatedProblem, Score } from "../types";

/** What a completion ends in: its last box, else its last line. */
export function answerIn(text: string): string {
  const box = text.lastIndexOf("\\boxed{");
  if (box >= 0) {
    const begin = box + "\\boxed{".length;
    let depth = 1;
    for (let at = begin; at < text.length; at += 1) {
      if (text[at] === "{") depth += 1;
      else if (text[at] === "}") depth -= 1;
      if (depth === 0) return text.slice(begin, at).trim();
    }
  }
  const last = text.trimEnd().split("\n").at(-1)!.trim();
  return last.length > 80 ? `…${last.slice(-79)}` : last;
}

export interface Said {
  answer: string;
  right: boolean;
  times: number;
}

/** The different answers of a problem's samples, the most frequent first. */
export function answersOf(item: EvaluatedProblem): Said[] {
  const said = new Map<string, Said>();
  for (const { completion, score } of item.answers) {
    const [answer, right] = [answerIn(completion), score === 1];
    const key = `${right} ${answer}`;
    const known = said.get(key);
    if (known) known.times += 1;
    else said.set(key, { answer, right, times: 1 });
  }
  return [...said.values()].sort((a, b) => b.times - a.times || Number(b.right) - Number(a.right));
}

export interface Past {
  step: number;
  share: number;
  words: string;
}

/** How often it was right at earlier evaluations and at this one. */
export function pastOf(item: EvaluatedProblem, step: number): Past[] {
  return [...item.earlier, { step, right: item.right }].map(({ step, right }) => ({
    step,
    share: right / item.samples,
    words: `${right} of ${item.samples} at step ${count(step)}`,
  }));
}

/** Said of the change since the evaluation before; empty without one. */
export function changeOf(item: EvaluatedProblem): "better" | "worse" | "" {
  const before = item.earlier.at(-1);
  if (!before || before.right === item.right) return "";
  return before.right < item.right ? "better" : "worse";
}

export interface Chosen {
  benchmark: string;
  step: number;
  benchmarks: string[];
  /** Steps at which this benchmark was evaluated, newest first. */
  steps: number[];
}

/** Which evaluation is shown: the one that the URL names, else the newest. */
export function chosenOf(scores: readonly Score[], benchmark: string | null, step: string | null): Chosen | null {
  const benchmarks = [...new Set(scores.map((score) => score.benchmark))];
  const name = benchmark !== null && benchmarks.includes(benchmark) ? benchmark : benchmarks[0];
  if (name === undefined) return null;
  const steps = [...new Set(scores.filter((s) => s.benchmark === name).map((s) => s.step))].sort((a, b) => b - a);
  const at = step !== null && steps.includes(Number(step)) ? Number(step) : steps[0]!;
  return { benchmark: name, step: at, benchmarks, steps };
}
