/** What one event of the stream does to what we hold. Pure but for the curves, which grow in place. */
import { readGuidanceStep } from "./api/readings";
import type { Curves } from "./curves";
import { num } from "./format";
import { addSteps } from "./pictures/guidance";
import type { Checkpoint, GuidanceStep, Run, RunDetail, RunEvent, Score, State } from "./types";

/** The history of guidance, in buckets where the run is long. It is read after the rest, which does not wait for it. */
export interface GuidanceHeld {
  steps: GuidanceStep[];
  perBucket: number;
  inLast: number;
  /** Why there are no steps here though the run may have some. */
  missing?: "reading" | Error;
}

/** Everything the page of one run shows. */
export interface RunData {
  detail: RunDetail;
  curves: Curves;
  guidance: GuidanceHeld;
  scores: Score[];
  checkpoints: Checkpoint[];
  /** Steps at which an attempt took over from another. */
  resumedAt: number[];
}

export const EVENT_TYPES = [
  "attempt_started",
  "progress",
  "step",
  "guidance",
  "step_skipped",
  "rollouts",
  "checkpoint",
  "score",
  "message",
  "ended",
  "run_created",
  "run_state",
  "attempt_lost",
  "run_changed",
  "checkpoint_promoted",
  "rollouts_imported",
  "run_archived",
  "run_unarchived",
  "run_deleted",
  "run_undeleted",
] as const;

// What an open page holds of guidance at most, however long it stays open.
const BUCKETS = 1200;

/** The row of a list after an event. Means over ten steps are the api's to tell; they come with the next refresh. */
export function applyToRun<R extends Run>(run: R, event: RunEvent): R {
  const data = event.data as Record<string, never>;
  if (event.type === "run_state") {
    const state = (data.state as State | undefined) ?? run.state;
    const desired = (data.desired as Run["desired"] | undefined) ?? run.desired;
    return { ...run, state, desired, reason: data.reason ?? null, message: data.message ?? run.message };
  }
  if (event.type === "run_changed") {
    const { notes } = event.data as { notes?: string };
    return { ...run, ...data, ...(notes !== undefined && { notes_excerpt: [...notes].slice(0, 200).join("") }) };
  }
  if (event.type === "run_archived") return { ...run, archived_at: event.ts };
  if (event.type === "run_unarchived") return { ...run, archived_at: null };
  if (event.type === "run_deleted") return { ...run, deleted_at: event.ts };
  if (event.type === "run_undeleted") return { ...run, deleted_at: null };
  if (event.type === "step") {
    const step = Number(data.step);
    const pace = num(data.seconds);
    const eta = Number.isFinite(pace) ? pace * Math.max(0, run.total_steps - step) : null;
    const kept = run.progress?.stage === "training" ? (run.progress.eta_s ?? eta) : eta;
    return { ...run, step, progress: { stage: "training", done: step, total: run.total_steps, eta_s: kept } };
  }
  if (event.type === "progress") {
    const progress = { stage: String(data.stage), done: Number(data.done), total: Number(data.total), eta_s: null };
    return { ...run, progress };
  }
  if (event.type === "attempt_started") {
    // -1: nothing to resume from.
    const [step, total] = [Math.max(0, Number(data.resumed_from_step)), Number(data.total_steps)];
    return { ...run, step, total_steps: total, attempts: Number(data.attempt) };
  }
  return run;
}

export function applyToData(held: RunData, event: RunEvent): RunData {
  const data = event.data as Record<string, never>;
  const next = {
    ...held,
    detail: applyToRun(held.detail, event),
    guidance: applyToGuidance(held.guidance, event),
  };
  if (event.type === "step") growCurves(held.curves, event);
  else if (event.type === "score") {
    const score = event.data as unknown as Score;
    next.scores = [...held.scores.filter((s) => !sameScore(s, score)), score];
  } else if (event.type === "checkpoint") {
    const saved = { ...event.data, created_at: event.ts } as unknown as Checkpoint;
    next.checkpoints = [...held.checkpoints.filter((c) => c.step !== saved.step), saved];
  } else if (event.type === "attempt_started")
    return supersede(next, Number(data.resumed_from_step), Number(data.attempt));
  return next;
}

const sameScore = (a: Score, b: Score): boolean =>
  a.step === b.step && a.benchmark === b.benchmark && a.metric === b.metric;

/** What a page that compares runs holds of each. */
export interface Compared {
  detail: RunDetail;
  curves: Curves;
  guidance: GuidanceHeld | null; // read when its map comes into view
}

export function applyToCompared(held: Compared, event: RunEvent): Compared {
  if (event.type === "step") growCurves(held.curves, event);
  else if (event.type === "attempt_started") held.curves.cut(Number(event.data.resumed_from_step));
  const guidance = held.guidance && applyToGuidance(held.guidance, event);
  return { ...held, detail: applyToRun(held.detail, event), guidance };
}

const growCurves = (curves: Curves, { data }: RunEvent): void =>
  curves.add(Number(data.step), { ...(data.metrics as object), "time/step_s": data.seconds });

export function applyToGuidance(held: GuidanceHeld, event: RunEvent): GuidanceHeld {
  if (event.type === "guidance") return appendGuidance(held, event.data as unknown as GuidanceStep);
  if (event.type !== "attempt_started") return held;
  const from = Number(event.data.resumed_from_step);
  return { ...held, steps: held.steps.filter((g) => g.step <= from), inLast: held.perBucket };
}

function appendGuidance(held: GuidanceHeld, raw: GuidanceStep): GuidanceHeld {
  const step = readGuidanceStep(raw);
  const last = held.steps.at(-1);
  if (last && step.step <= last.step) return held;
  if (last && held.inLast < held.perBucket) {
    const steps = [...held.steps.slice(0, -1), addSteps(last, step)];
    return { ...held, steps, inLast: held.inLast + 1 };
  }
  const steps = [...held.steps, step];
  return steps.length > BUCKETS ? halved({ ...held, steps, inLast: 1 }) : { ...held, steps, inLast: 1 };
}

/** Two buckets become one: a page that is open for days does not grow without end. The last stays for itself. */
function halved({ steps, perBucket, inLast, ...held }: GuidanceHeld): GuidanceHeld {
  const joined = steps.slice(0, -1).reduce<GuidanceStep[]>((out, step, i) => {
    if (i % 2) out[out.length - 1] = addSteps(out.at(-1)!, step);
    else out.push(step);
    return out;
  }, []);
  return { ...held, steps: [...joined, steps.at(-1)!], perBucket: perBucket * 2, inLast };
}

/** A resumed attempt writes its own history from `step` on: what an earlier attempt wrote after it is void. */
function supersede(held: RunData, step: number, attempt: number): RunData {
  held.curves.cut(step);
  return {
    ...held,
    scores: held.scores.filter((s) => s.step <= step),
    checkpoints: held.checkpoints.filter((c) => c.step <= step),
    resumedAt: attempt > 1 && step >= 0 ? [...new Set([...held.resumedAt, step])] : held.resumedAt,
  };
}
