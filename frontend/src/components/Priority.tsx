/** Who is taken first, of the runs that wait: shown while it means something, and changed. What somebody else has set
 *  meanwhile is told before it is overwritten. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/http";
import { getMarked, type Marked, patchRun } from "../api/runs";
import { PRIORITIES, readPriority } from "../labels";
import { asError } from "../loaded";
import { put } from "../store/state";
import type { RunDetail } from "../types";
import "./Priority.css";

const waits = (run: RunDetail): boolean => (run.state === "queued" || run.state === "paused") && !run.deleted_at;

export function Priority({ run }: { run: RunDetail }) {
  const [editing, setEditing] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const done = (): void => {
    setEditing(false);
    requestAnimationFrame(() => button.current?.focus());
  };
  // One that begins while somebody writes keeps the form: the answer says why it is too late.
  if (!editing && !waits(run)) return null;
  return (
    <div class="fact priority" title="Of the runs that wait the highest priority is taken first, then the oldest">
      <span>priority</span>
      {editing ? (
        <Editor id={run.id} onDone={done} />
      ) : (
        <>
          <b>{run.priority}</b>
          <button
            ref={button}
            type="button"
            class="quiet"
            aria-label="change the priority"
            onClick={() => setEditing(true)}
          >
            change
          </button>
        </>
      )}
    </div>
  );
}

function Editor({ id, onDone }: { id: string; onDone: () => void }) {
  const [seen, setSeen] = useState<Marked | null>(null);
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLInputElement>(null);
  const about = useId();
  useEffect(() => {
    getMarked(id).then(
      (found) => {
        setSeen(found);
        setText(String(found.run.priority));
        requestAnimationFrame(() => box.current?.select());
      },
      (e: unknown) => setError(asError(e).message),
    );
    box.current?.focus();
  }, [id]);

  /** True if it is set. Another name or tag than we saw is no reason to ask, another priority is. */
  const set = async (priority: number, before: Marked): Promise<boolean> => {
    try {
      put((await patchRun(id, { priority }, before.etag)).run);
      return true;
    } catch (e) {
      if (!(e instanceof ApiError) || e.status !== 412) throw e;
    }
    const now = await getMarked(id);
    put(now.run);
    setSeen(now);
    if (now.run.priority === before.run.priority) return set(priority, now);
    setError(`Somebody has set it to ${now.run.priority} meanwhile. Save again to make it ${priority}.`);
    return false;
  };
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const priority = readPriority(text);
    if (priority === null) return setError(PRIORITIES);
    if (!seen || busy) return;
    setBusy(true);
    setError("");
    try {
      if (await set(priority, seen)) return onDone();
    } catch (e) {
      setError(asError(e).message);
    }
    setBusy(false);
  };
  return (
    <form onSubmit={save} onKeyDown={(e) => e.key === "Escape" && onDone()} aria-label="Priority">
      <input
        ref={box}
        value={text}
        inputMode="numeric"
        autocomplete="off"
        aria-label="priority"
        aria-invalid={error ? "true" : undefined}
        aria-describedby={about}
        onInput={(e) => setText(e.currentTarget.value)}
      />
      <button type="submit" class="primary" disabled={busy || !seen}>
        Save
      </button>
      <button type="button" onClick={onDone}>
        Cancel
      </button>
      <p id={about} class={error ? "error" : "muted"} role={error ? "alert" : undefined}>
        {error || PRIORITIES}
      </p>
    </form>
  );
}
