import { useRef, useState } from "preact/hooks";
import type { Wish } from "../api/runs";
import { clock, decimal, duration, percent, runName } from "../format";
import { wish } from "../store";
import { isOver, type Run, type RunDetail } from "../types";
import { Progress, reasonText, StateChip } from "./parts";

/** Who the run is, where it stands, what a person can do about it. */
export function RunHeader({ run }: { run: RunDetail }) {
  const reason = reasonText(run);
  const took = run.started_at
    ? (Date.parse(run.ended_at ?? new Date().toISOString()) - Date.parse(run.started_at)) / 1000
    : null;
  const { reward_unguided: reward, guided_share: guided, score } = run.summary;
  return (
    <header class="run-head">
      <p class="crumbs">
        <a href="/">Runs</a> / <code>{run.id}</code>
      </p>
      <div class="run-title">
        <h1>{runName(run)}</h1>
        <StateChip run={run} />
        <Buttons run={run} />
      </div>
      {(reason || run.message) && (
        <p class={`why ${run.state}`}>
          {reason && <b>{reason}. </b>}
          {run.message} {run.advice}
        </p>
      )}
      <div class="facts">
        <Fact name="method" value={run.method ?? (run.kind === "import" ? "imported" : "evaluation")} />
        {run.kind === "train" && (
          <>
            <Fact name="unguided reward" value={decimal(reward)} title="Mean of the last 10 steps" />
            <Fact
              name="guided share"
              value={percent(guided)}
              title="Share of samples that started from an expert prefix, last 10 steps"
            />
          </>
        )}
        <Fact name="score" value={percent(score)} title="Latest avg@k of the first benchmark" />
        <Fact
          name="time"
          value={duration(took)}
          title={run.started_at ? `Started ${clock(run.started_at)}` : "Not started"}
        />
        <div class="fact grow">
          <span>progress</span>
          <Progress run={run} wide />
        </div>
      </div>
    </header>
  );
}

const Fact = ({ name, value, title }: { name: string; value: string; title?: string }) => (
  <div class="fact" title={title}>
    <span>{name}</span>
    <b>{value}</b>
  </div>
);

function Buttons({ run }: { run: Run }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const dialog = useRef<HTMLDialogElement>(null);
  const ask = (what: Wish) => async (): Promise<void> => {
    dialog.current?.close();
    setBusy(true);
    setError("");
    await wish(run.id, what).catch((e: Error) => setError(e.message));
    setBusy(false);
  };
  const going = run.state === "queued" || run.state === "starting" || run.state === "running";
  return (
    <div class="actions">
      {going && run.desired === "run" && (
        <button type="button" disabled={busy} onClick={ask("pause")}>
          Pause
        </button>
      )}
      {(run.state === "paused" ||
        (run.state === "failed" && !run.imported_from) ||
        (going && run.desired === "pause")) && (
        <button type="button" disabled={busy} onClick={ask("resume")}>
          Resume
        </button>
      )}
      {!isOver(run.state) && run.desired !== "cancel" && (
        <button type="button" class="danger" disabled={busy} onClick={() => dialog.current?.showModal()}>
          Cancel
        </button>
      )}
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <dialog ref={dialog} aria-labelledby="cancel-title">
        <h2 id="cancel-title">Cancel this run?</h2>
        <p>
          <b>{runName(run)}</b> stops after its present step, at {run.step} of {run.total_steps}. Its checkpoints and
          pictures are kept; it cannot be resumed. To go on later, pause it instead.
        </p>
        <div class="dialog-buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Keep running
          </button>
          <button type="button" class="danger solid" onClick={ask("cancel")}>
            Cancel the run
          </button>
        </div>
      </dialog>
    </div>
  );
}
