import { useRef, useState } from "preact/hooks";
import { clock, decimal, duration, percent, runName } from "../format";
import { FACTS } from "../meanings";
import type { RunDetail } from "../types";
import { Hint } from "./Hint";
import { LabelsEditor } from "./LabelsEditor";
import { Priority } from "./Priority";
import { RunActions } from "./RunActions";
import "./RunHeader.css";
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
        {run.sweep_id && (
          <>
            {" "}
            · <a href={`/?q=sweep:${run.sweep_id}`}>all runs of its sweep</a>
          </>
        )}
      </p>
      <div class="run-title">
        <h1>{runName(run)}</h1>
        <StateChip run={run} />
        {run.archived_at && <span class="chip">archived</span>}
        {run.deleted_at && <span class="chip failed">deleted</span>}
        <RunActions run={run} />
      </div>
      <Labels run={run} />
      {(reason || run.message) && (
        <p class={`why ${run.state}`}>
          {reason && <b>{reason}. </b>}
          {run.message} {run.advice}
        </p>
      )}
      <div class="facts">
        <Fact
          name="method"
          value={run.method ?? (run.kind === "import" ? "imported" : "evaluation")}
          more={FACTS.method}
        />
        {run.kind === "train" && (
          <>
            <Fact name="unguided reward" value={decimal(reward)} more={FACTS["unguided reward"]} />
            <Fact name="guided share" value={percent(guided)} more={FACTS.guided} />
          </>
        )}
        <Fact name="score" value={percent(score)} more={FACTS.score} />
        <Fact
          name="run time"
          value={duration(took)}
          more={run.started_at ? `Started ${clock(run.started_at, "long")}` : "Not started"}
        />
        <Priority run={run} />
        <div class="fact grow">
          <span>progress</span>
          <Progress run={run} wide />
        </div>
      </div>
    </header>
  );
}

const Fact = ({ name, value, more = "" }: { name: string; value: string; more?: string }) => (
  <div class="fact">
    <Hint text={name} more={more} />
    <b>{value}</b>
  </div>
);

/** Tags and notes, and the form to change them and the name. */
function Labels({ run }: { run: RunDetail }) {
  const [editing, setEditing] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const done = (): void => {
    setEditing(false);
    requestAnimationFrame(() => button.current?.focus());
  };
  if (editing)
    return (
      <div class="card label-form">
        <LabelsEditor id={run.id} onDone={done} />
      </div>
    );
  return (
    <div class="run-labels">
      {run.tags.map((tag) => (
        <a key={tag} class="tag" href={`/?q=${encodeURIComponent(`tag:${tag}`)}`}>
          {tag}
        </a>
      ))}
      <button ref={button} type="button" class="quiet" onClick={() => setEditing(true)}>
        {run.tags.length || run.notes ? "edit name, tags, notes" : "add tags or notes"}
      </button>
      {run.notes && <p class="run-notes">{run.notes}</p>}
    </div>
  );
}
