/** The models that the run saved and that are still there: keep, name, download, or start a run from one. */
import { useState } from "preact/hooks";
import { pin, tarUrl } from "../../api/checkpoints";
import { getCheckpoints } from "../../api/runs";
import { Promote } from "../../components/Promote";
import { Failed } from "../../components/parts";
import { bytes, clock, count } from "../../format";
import { asError, useLoaded } from "../../loaded";
import type { Checkpoint } from "../../types";
import type { RunPartProps } from "../Run";
import "./Checkpoints.css";

export default function Checkpoints({ data }: RunPartProps) {
  const { id } = data.detail;
  // A new one lets an old one go, so what is on the disk is asked for again.
  const newest = data.checkpoints.at(-1)?.created_at;
  const [loaded, again] = useLoaded(() => getCheckpoints(id), [id], newest);
  if (loaded.state === "error") return <Failed of={loaded} again={again} />;
  if (loaded.state === "loading")
    return (
      <p class="muted" role="status">
        Reading checkpoints…
      </p>
    );
  const found = loaded.value.data.toReversed();
  if (found.length === 0)
    return (
      <p class="muted">
        {data.detail.ended_at ? "No checkpoint of this run is on the disk." : "No checkpoint has been saved yet."}
      </p>
    );
  return (
    <section class="card details" aria-label="Checkpoints">
      <Failed of={loaded} again={again} />
      <p class="summary">
        {found.length === 1 ? "One checkpoint is" : `${count(found.length)} checkpoints are`} on the disk. A run keeps
        its last few; a pinned one is never deleted.
      </p>
      <ol class="checkpoints">
        {found.map((one) => (
          <Row key={one.step} id={id} checkpoint={one} changed={again} />
        ))}
      </ol>
    </section>
  );
}

function Row({ id, checkpoint: one, changed }: { id: string; checkpoint: Checkpoint; changed: () => void }) {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const [naming, setNaming] = useState(false);
  const turn = async (): Promise<void> => {
    setBusy(true);
    setError("");
    await pin(id, one.step, !one.pinned).then(changed, (e) => setError(asError(e).message));
    setBusy(false);
  };
  return (
    <li class="checkpoint">
      <div class="checkpoint-facts">
        <h2>
          Step {count(one.step)} {one.pinned && <span class="chip">pinned</span>}{" "}
          {one.aliases.map((name) => (
            <span key={name} class="tag" title="An alias: a spec may name it as its model">
              {name}
            </span>
          ))}
        </h2>
        <p class="muted">
          {bytes(one.bytes)} · saved {clock(one.created_at)}
        </p>
        <p class="sha">
          sha256 of the weights <code>{one.sha256}</code>
        </p>
      </div>
      <div class="checkpoint-actions">
        <button type="button" aria-pressed={one.pinned} disabled={busy} onClick={() => void turn()}>
          {one.pinned ? "Unpin" : "Pin"}
        </button>
        <button type="button" aria-expanded={naming} onClick={() => setNaming(!naming)}>
          Promote…
        </button>
        <a class="button" href={tarUrl(id, one.step)} download>
          Download
        </a>
        <a class="button" href={`/new?clone=${encodeURIComponent(id)}&from_checkpoint=${one.step}`}>
          Start a run from here
        </a>
      </div>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {naming && (
        <Promote
          id={id}
          step={one.step}
          onDone={() => {
            setNaming(false);
            changed();
          }}
        />
      )}
    </li>
  );
}
