/** What one event of the stream does to what we hold. Pure but for the curves, which grow in place. */
import { readGuidanceStep } from "./api/readings";
import type { Curves } from "./curves";
import { num } from "./format";
import { addSteps } from "./pictures/guidance";
import type { Checkpoint, GuidanceStep, Run, RunDetail, RunEvent, Score, State } from "./types";

/** Everything the page of one run shows. */
export interface RunData {
  detail: RunDetail;
  curves: Curves;
  guidance: { steps: GuidanceStep[]; perBucket: number; inLast: number };
  scores: Score[];
  checkpoints: Checkpoint[];
  /** Happenings a person reads, newest last; steps are in the pictures. */
  happenings: RunEvent[];
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
  "run_archived",
  "run_unarchived",
  "run_deleted",
  "run_undeleted",
] as const;

const QUIET = new Set(["step", "guidance", "rollouts", "progress"]);
export const isHappening = (event: RunEvent): boolean => !QUIET.has(event.type);

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
  const next = { ...held, detail: applyToRun(held.detail, event) };
  if (isHappening(event) && !held.happenings.some((h) => h.seq === event.seq)) {
    next.happenings = [...held.happenings, event];
  }
  if (event.type === "step") growCurves(held.curves, event);
  else if (event.type === "guidance")
    next.guidance = appendGuidance(held.guidance, event.data as unknown as GuidanceStep);
  else if (event.type === "score") next.scores = [...held.scores, event.data as unknown as Score];
  else if (event.type === "checkpoint") {
    const saved = { ...event.data, created_at: event.ts } as unknown as Checkpoint;
    next.checkpoints = [...held.checkpoints.filter((c) => c.step !== saved.step), saved];
  } else if (event.type === "attempt_started")
    return supersede(next, Number(data.resumed_from_step), Number(data.attempt));
  return next;
}

/** What a page that compares runs holds of each. */
export interface Compared {
  detail: RunDetail;
  curves: Curves;
  guidance: RunData["guidance"] | null; // read when its map comes into view
}

export function applyToCompared(held: Compared, event: RunEvent): Compared {
  const next = { ...held, detail: applyToRun(held.detail, event) };
  if (event.type === "step") growCurves(held.curves, event);
  else if (event.type === "guidance" && held.guidance)
    next.guidance = appendGuidance(held.guidance, event.data as unknown as GuidanceStep);
  else if (event.type === "attempt_started") {
    const step = Number(event.data.resumed_from_step);
    held.curves.cut(step);
    if (held.guidance) next.guidance = cutGuidance(held.guidance, step);
  }
  return next;
}

const growCurves = (curves: Curves, { data }: RunEvent): void =>
  curves.add(Number(data.step), { ...(data.metrics as object), "time/step_s": data.seconds });

const cutGuidance = (held: RunData["guidance"], step: number): RunData["guidance"] => ({
  ...held,
  steps: held.steps.filter((g) => g.step <= step),
  inLast: held.perBucket,
});

function appendGuidance(held: RunData["guidance"], raw: GuidanceStep): RunData["guidance"] {
  const step = readGuidanceStep(raw);
  const last = held.steps.at(-1);
  if (last && step.step <= last.step) return held;
  if (last && held.inLast < held.perBucket) {
    const steps = [...held.steps.slice(0, -1), addSteps(last, step)];
    return { ...held, steps, inLast: held.inLast + 1 };
  }
  return { ...held, steps: [...held.steps, step], inLast: 1 };
}

/** A resumed attempt writes its own history from `step` on: what an earlier attempt wrote after it is void. */
function supersede(held: RunData, step: number, attempt: number): RunData {
  held.curves.cut(step);
  return {
    ...held,
    guidance: cutGuidance(held.guidance, step),
    scores: held.scores.filter((s) => s.step <= step),
    checkpoints: held.checkpoints.filter((c) => c.step <= step),
    resumedAt: attempt > 1 ? [...held.resumedAt, step] : held.resumedAt,
  };
}
