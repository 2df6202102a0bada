/** One run as a row of the grid; a card on a phone. Only the active row's parts are stops of the Tab key. */
import { useState } from "preact/hooks";
import { Hint } from "../../components/Hint";
import { LabelsEditor } from "../../components/LabelsEditor";
import { Progress, reasonText, Sparkline, StateChip } from "../../components/parts";
import { matches } from "../../filter/matches";
import { ago, clock, decimal, percent, runName } from "../../format";
import { store } from "../../store/state";
import type { Run } from "../../types";

interface Props {
  run: Run;
  index: number;
  top: number;
  height: number;
  active: boolean;
  selected: boolean;
  onToggle: (range: boolean) => void;
  onFocus: () => void;
  /** The focus comes back to the row, from the form that stood in it. */
  onBack: () => void;
}

export function RunRow({ run, index, top, height, active, selected, onToggle, onFocus, onBack }: Props) {
  const [editing, setEditing] = useState(false);
  const { reward_unguided: reward, guided_share: guided, score, sparkline } = run.summary;
  const reason = reasonText(run);
  const name = runName(run);
  const done = (): void => {
    setEditing(false);
    onBack();
  };
  return (
    <div
      class={`run-row${selected ? " selected" : ""}${editing ? " editing" : ""}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      tabIndex={active ? 0 : -1}
      style={{ top: `${top}px`, height: `${height}px` }}
      onFocusIn={onFocus}
    >
      <div role="gridcell" class="pick">
        <label class="check">
          <input
            type="checkbox"
            tabIndex={active ? 0 : -1}
            aria-label={`Select ${name}`}
            checked={selected}
            onClick={(event) => onToggle(event.shiftKey)}
          />
        </label>
      </div>
      <div role="gridcell" class="name">
        <a class="run-link" href={`/runs/${run.id}`} tabIndex={active ? 0 : -1} title={name}>
          {name}
        </a>
        <Labels run={run} active={active} onEdit={() => setEditing(true)} />
        {editing && (
          <div class="card row-editor">
            <LabelsEditor id={run.id} first="tags" onDone={done} />
          </div>
        )}
      </div>
      <div role="gridcell" class="method" data-label="Method">
        {run.method ?? <span class="muted">evaluation</span>}
      </div>
      <div role="gridcell" class="state">
        <StateChip run={run} />
        {reason && <Hint text={reason} more={[run.message, run.advice].filter(Boolean).join("\n")} />}
      </div>
      <div role="gridcell" class="at">
        <Progress run={run} />
      </div>
      <div role="gridcell" class="reward" data-label="Reward">
        {reward === null || reward === undefined ? (
          <span class="muted">–</span>
        ) : (
          <>
            <Sparkline values={sparkline} label={`Unguided reward of ${name} over its steps`} />
            <span class="figure-number">{decimal(reward)}</span>
          </>
        )}
      </div>
      <div role="gridcell" class="right guided" data-label="Guided">
        {percent(guided)}
      </div>
      <div role="gridcell" class="right score" data-label="Score">
        {percent(score)}
      </div>
      <div role="gridcell" class="right muted created" title={clock(run.created_at, "long")}>
        {ago(run.created_at)}
      </div>
    </div>
  );
}

/** Below the name: what people wrote about the run, and where it belongs. */
function Labels({ run, active, onEdit }: { run: Run; active: boolean; onEdit: () => void }) {
  const tab = active ? 0 : -1;
  const stays = !matches(run, store.question.filter);
  return (
    <div class="sub">
      {stays && <span class="stays">no longer matches</span>}
      {run.tags.map((tag) => (
        <span key={tag} class="tag">
          {tag}
        </span>
      ))}
      {run.sweep_id && (
        <a class="tag" href={`/?q=sweep:${run.sweep_id}`} tabIndex={tab} title="All runs of its sweep">
          sweep
        </a>
      )}
      {run.notes_excerpt && (
        <span class="excerpt" title={run.notes_excerpt}>
          {run.notes_excerpt}
        </span>
      )}
      <button
        type="button"
        class="quiet edit"
        tabIndex={tab}
        aria-label={`Edit tags and notes of ${runName(run)}`}
        title="Edit tags and notes"
        onClick={onEdit}
      >
        ✎
      </button>
    </div>
  );
}
