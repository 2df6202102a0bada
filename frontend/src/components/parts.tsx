/** Small parts that many pages use. */
import type { ComponentChildren } from "preact";
import { duration, words } from "../format";
import type { Loaded } from "../loaded";
import { sparkPath } from "../pictures/sparkline";
import type { Run } from "../types";

/** The state, and what was asked for while it is not there yet. */
export function StateChip({ run }: { run: Pick<Run, "state" | "desired"> }) {
  const active = run.state === "running" || run.state === "starting" || run.state === "queued";
  const asked = active && run.desired !== "run" ? (run.desired === "pause" ? "pausing" : "cancelling") : null;
  return <span class={`chip ${run.state}`}>{asked ?? run.state}</span>;
}

export const reasonText = (run: Pick<Run, "reason" | "message">): string => (run.reason ? words(run.reason) : "");

/** Done and to do, with the time left. A run that is not training says what it is doing instead. */
export function Progress({ run, wide = false }: { run: Run; wide?: boolean }) {
  const active = run.state === "running" || run.state === "starting";
  const at =
    active && run.progress ? run.progress : { stage: "training", done: run.step, total: run.total_steps, eta_s: null };
  if (!at.total) return <span class="muted">{run.kind === "eval" ? "evaluation" : "–"}</span>;
  const unit = at.stage === "training" ? "step " : "";
  const left =
    active && at.eta_s !== null && at.eta_s !== undefined && at.done < at.total ? `${duration(at.eta_s)} left` : "";
  return (
    <div class={wide ? "progress wide" : "progress"}>
      <progress
        max={at.total}
        value={Math.min(at.done, at.total)}
        aria-label={`${at.stage}: ${at.done} of ${at.total}`}
      />
      <span class="progress-text">
        {at.stage !== "training" && <b>{at.stage} </b>}
        {unit}
        {at.done} of {at.total}
        {left && <span class="muted"> · {left}</span>}
      </span>
    </div>
  );
}

export function Sparkline({ values, label }: { values: readonly (number | null)[]; label: string }) {
  const path = sparkPath(values, 84, 24);
  if (!path) return null;
  return (
    <svg class="spark" width="84" height="24" viewBox="0 0 84 24" role="img" aria-label={label}>
      <path d={path} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" />
    </svg>
  );
}

export function Failure({ error, again }: { error: Error; again?: () => void }) {
  return (
    <div class="card notice bad" role="alert">
      <h2>This could not be loaded</h2>
      <p>{error.message}</p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** In the place of a picture that is still read, and as high: what is below shall not jump. */
export function Soon({ height, children }: { height: number; children: ComponentChildren }) {
  return (
    <div class="nothing" role="status" style={{ minHeight: `${height}px` }}>
      {children}
    </div>
  );
}

/** What went wrong in reading: in the place of what there is not, or a line beside what is getting old. */
export function Failed({ of, again }: { of: Loaded<unknown>; again: () => void }) {
  if (of.state === "error") return <Failure error={of.error} again={again} />;
  if (of.state === "loading" || !of.stale) return null;
  return (
    <p class="calm" role="status">
      As of {new Date(of.stale.at).toLocaleTimeString("en-GB", { timeStyle: "short" })}, not refreshed:{" "}
      {of.stale.error.message}{" "}
      <button type="button" class="quiet" onClick={again}>
        Try again
      </button>
    </p>
  );
}

/** Curves that could not be read: those that are drawn are of before, or of another smoothing. */
export const Unread = ({ error, again }: { error: Error; again: () => void }) => (
  <p class="calm" role="status">
    This could not be loaded: {error.message}{" "}
    <button type="button" class="quiet" onClick={again}>
      Try again
    </button>
  </p>
);

/** Holds the place of what is being read. */
export const WaitingPart = ({ label }: { label: string }) => (
  <div class="card skeleton tall" role="status" aria-busy="true" aria-label={label}>
    {[1, 2, 3].map((i) => (
      <div key={i} />
    ))}
  </div>
);

/** The same for a whole page. */
export const Waiting = ({ label }: { label: string }) => (
  <main id="main" aria-busy="true">
    <WaitingPart label={label} />
  </main>
);
