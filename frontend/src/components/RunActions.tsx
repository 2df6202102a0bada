/** What a person can do about a run, as buttons; what costs something asks first. */
import { useState } from "preact/hooks";
import { type Action, actionsOf } from "../actions";
import { runName } from "../format";
import { asError } from "../loaded";
import { navigate } from "../router";
import { wish } from "../store/wire";
import type { Run } from "../types";
import { Confirm } from "./Confirm";

const NAMES: Record<Action, string> = {
  pause: "Pause",
  resume: "Resume",
  retry: "Retry",
  cancel: "Cancel",
  clone: "Clone",
  archive: "Archive",
  unarchive: "Unarchive",
  delete: "Delete",
  undelete: "Undelete",
};

const ASKS: Partial<Record<Action, { title: string; yes: string; no: string; danger: boolean }>> = {
  cancel: { title: "Cancel this run?", yes: "Cancel the run", no: "Keep running", danger: true },
  delete: { title: "Delete this run?", yes: "Delete the run", no: "Keep it", danger: true },
};

export function RunActions({ run }: { run: Run }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [asking, setAsking] = useState<Action | null>(null);
  const act = async (action: Action): Promise<void> => {
    setAsking(null);
    setBusy(true);
    setError("");
    try {
      if (action === "clone") navigate(`/new?clone=${encodeURIComponent(run.id)}`);
      else await wish(run.id, action);
    } catch (e) {
      setError(asError(e).message);
    }
    setBusy(false);
  };
  const question = asking && ASKS[asking];
  return (
    <div class="actions">
      {actionsOf(run).map((action) => (
        <button
          key={action}
          type="button"
          class={ASKS[action]?.danger ? "danger" : ""}
          disabled={busy}
          onClick={() => (ASKS[action] ? setAsking(action) : void act(action))}
        >
          {NAMES[action]}
        </button>
      ))}
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {question && (
        <Confirm {...question} onYes={() => void act(asking)} onClose={() => setAsking(null)}>
          <p>
            <b>{runName(run)}</b> {consequence(asking, run)}
          </p>
        </Confirm>
      )}
    </div>
  );
}

function consequence(action: Action, run: Run): string {
  if (action === "cancel")
    return `stops after its present step, at ${run.step} of ${run.total_steps}. Its checkpoints and pictures are kept. To go on later, pause it instead.`;
  return "goes out of the lists now; its rows, checkpoints and logs are removed for good after a while. Until then it can be had back: look for is:deleted.";
}
