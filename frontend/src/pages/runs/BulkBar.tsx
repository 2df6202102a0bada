/** What can be done with several runs at once, and what came of it. */
import { useState } from "preact/hooks";
import { actionsOf, askEach, names, outcome, type Told } from "../../actions";
import { ApiError } from "../../api/http";
import { getMarked, patchRun, type Wish } from "../../api/runs";
import { Confirm } from "../../components/Confirm";
import { readTags, wrongTags } from "../../labels";
import { dropUnmatched } from "../../store/list";
import { put } from "../../store/state";
import { wish } from "../../store/wire";
import type { Run } from "../../types";

const MOST_COMPARED = 20;

interface Props {
  runs: Run[];
  tags: readonly string[];
  onClear: () => void;
}

export function BulkBar({ runs, tags, onClear }: Props) {
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState<"cancel" | "tag" | null>(null);
  const [tag, setTag] = useState("");

  const doAll = async (those: Run[], done: string, act: (run: Run) => Promise<unknown>): Promise<void> => {
    setAsking(null);
    setBusy(true);
    const progress = (at: number): void => setSaid(`${at} of ${those.length}…`);
    const told: Told = await askEach(those, act, progress);
    setSaid(outcome(done, told));
    setBusy(false);
    dropUnmatched(told.done.map((run) => run.id));
  };
  const wishAll = (those: Run[], what: Wish, done: string): Promise<void> =>
    doAll(those, done, (run) => wish(run.id, what));
  const can = runs.filter((run) => actionsOf(run).includes("cancel"));
  const cannot = runs.filter((run) => !can.includes(run));
  const archived = runs.filter((run) => run.archived_at);
  const wrong = wrongTags(readTags(tag));
  const chosen = runs.length > 0;
  return (
    <>
      <p class="outcome" role="status">
        {said}
        {said && !busy && (
          <button type="button" class="quiet" onClick={() => setSaid("")}>
            dismiss
          </button>
        )}
      </p>
      {chosen && (
        <div class="card bulk" role="toolbar" aria-label="Selected runs">
          <b>{runs.length} selected</b>
          {runs.length > 1 && runs.length <= MOST_COMPARED ? (
            <a class="button" href={`/compare?${runs.map((run) => `run=${run.id}`).join("&")}`}>
              Compare
            </a>
          ) : (
            <span class="muted">{runs.length > 1 ? `${MOST_COMPARED} at most to compare` : "two to compare"}</span>
          )}
          <button type="button" disabled={busy} onClick={() => setAsking("tag")}>
            Add tag…
          </button>
          {archived.length < runs.length && (
            <button type="button" disabled={busy} onClick={() => void wishAll(runs, "archive", "archived")}>
              Archive
            </button>
          )}
          {archived.length > 0 && (
            <button type="button" disabled={busy} onClick={() => void wishAll(runs, "unarchive", "back in the list")}>
              Unarchive
            </button>
          )}
          <button type="button" class="danger" disabled={busy} onClick={() => setAsking("cancel")}>
            Cancel…
          </button>
          <button type="button" class="quiet" onClick={onClear}>
            clear
          </button>
        </div>
      )}
      {asking === "cancel" && (
        <Confirm
          title={
            can.length
              ? `Cancel ${can.length === 1 ? "one run" : `${can.length} runs`}?`
              : "None of these can be cancelled"
          }
          yes={`Cancel ${can.length}`}
          no="Keep them"
          danger
          onYes={can.length ? () => void wishAll(can, "cancel", "cancelled or cancelling") : undefined}
          onClose={() => setAsking(null)}
        >
          {can.length > 0 && <p>{names(can)}: each stops after its present step. Checkpoints and pictures are kept.</p>}
          {cannot.length > 0 && (
            <p>
              {cannot.length} cannot, having ended or being cancelled already: {names(cannot)}.
            </p>
          )}
        </Confirm>
      )}
      {asking === "tag" && (
        <Confirm
          title={`Add a tag to ${runs.length === 1 ? "one run" : `${runs.length} runs`}`}
          yes="Add"
          no="Not now"
          onYes={
            tag.trim() && !wrong ? () => void doAll(runs, "tagged", (run) => addTags(run, readTags(tag))) : undefined
          }
          onClose={() => setAsking(null)}
        >
          <label class="tag-field">
            Tag
            <input
              list="known-tags"
              value={tag}
              maxLength={200}
              onInput={(event) => setTag(event.currentTarget.value)}
            />
          </label>
          <datalist id="known-tags">
            {tags.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
          {wrong && <p class="error">{wrong}</p>}
        </Confirm>
      )}
    </>
  );
}

/** Adding takes nothing away, so what others changed meanwhile is read and the tags are added to that. */
async function addTags(run: Run, tags: string[], tries = 3): Promise<void> {
  const { run: now, etag } = await getMarked(run.id);
  const next = [...new Set([...now.tags, ...tags])];
  const wrong = wrongTags(next);
  if (wrong) throw new Error(wrong);
  try {
    put((await patchRun(run.id, { tags: next }, etag)).run);
  } catch (e) {
    if (!(e instanceof ApiError && e.status === 412) || tries <= 1) throw e;
    await addTags(run, tags, tries - 1);
  }
}
