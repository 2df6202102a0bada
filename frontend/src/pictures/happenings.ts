/** Events as sentences, and which of them are asked for. */
import type { AskedEvents } from "../api/runs";
import { bytes, num, percent, words } from "../format";
import type { RunEvent } from "../types";

/** What is told of every step; by default only the rest is shown. */
const QUIET = ["step", "guidance", "rollouts", "progress"];
const SERVICE = [
  "run_created",
  "run_state",
  "run_changed",
  "run_archived",
  "run_unarchived",
  "run_deleted",
  "run_undeleted",
  "checkpoint_promoted",
  "rollouts_imported",
  "attempt_lost",
];
const TOLD = ["attempt_started", "step_skipped", "checkpoint", "score", "message", "ended"];
export const KINDS = [...TOLD, ...SERVICE, "outcomes", ...QUIET];
const HAPPENINGS = [...TOLD, ...SERVICE];

/** The question that the URL asks; without `kind` what a person reads, with `all` everything. */
export function askedEvents(query: URLSearchParams): AskedEvents {
  const kind = query.get("kind") ?? "";
  const step = Number(query.get("step") ?? Number.NaN);
  const at = Date.parse(query.get("time") ?? "");
  return {
    type: kind === "all" ? [] : KINDS.includes(kind) ? [kind] : HAPPENINGS,
    contains: query.get("contains") ?? undefined,
    up_to_step: Number.isInteger(step) && step >= 0 && step < 2 ** 31 ? step : undefined,
    up_to: Number.isNaN(at) ? undefined : new Date(at).toISOString(),
  };
}

export function sentence({ type, data }: RunEvent): string {
  const d = data as Record<string, never>;
  switch (type) {
    case "run_state":
      return [d.state, d.reason && words(d.reason), d.message].filter(Boolean).join(" · ");
    case "attempt_started":
      return `attempt ${d.attempt} from step ${Math.max(0, Number(d.resumed_from_step))} of ${d.total_steps}`;
    case "attempt_lost":
      return `attempt ${d.attempt}: worker ${d.worker} fell silent`;
    case "checkpoint":
      return `step ${d.step}, ${bytes(Number(d.bytes))}`;
    case "checkpoint_promoted":
      return `step ${d.step} is now ${d.alias}`;
    case "score":
      return `${d.benchmark} ${d.metric} ${percent(d.score)} [${percent(d.low)}, ${percent(d.high)}] at step ${d.step}`;
    case "step":
      return `step ${d.step} in ${num(d.seconds).toFixed(1)} s`;
    case "step_skipped":
      return `step ${d.step}: ${d.message}`;
    case "progress":
      return `${d.stage}: ${d.done} of ${d.total}`;
    case "guidance":
      return `step ${d.step}`;
    case "outcomes":
      return `${d.benchmark} at step ${d.step}`;
    case "rollouts":
    case "rollouts_imported":
      return `${d.rows} of step ${d.step}`;
    case "message":
      return d.text ?? "";
    case "run_changed":
      return Object.keys(d).join(", ");
    case "ended":
      return [`${d.outcome} at step ${d.step}`, d.reason && words(d.reason), d.message].filter(Boolean).join(" · ");
    default:
      return d.message ?? d.name ?? "";
  }
}

/** The step that an event is about; null for none. */
export function stepOf({ data }: RunEvent): number | null {
  const step = (data as Record<string, unknown>).step;
  return typeof step === "number" ? step : null;
}
