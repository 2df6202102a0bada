/** Name, tags and notes of a run, as a form. Nobody's words are overwritten unseen: see `labels.ts`. */
import { useEffect, useId, useState } from "preact/hooks";
import { ApiError } from "../api/http";
import { getMarked, type Marked, patchRun } from "../api/runs";
import { changes, type Labels, MOST_NOTES, merge, readTags, wrongTags } from "../labels";
import { asError } from "../loaded";
import { put } from "../store/state";
import "./LabelsEditor.css";

interface Props {
  id: string;
  /** Where the focus begins. */
  first?: keyof Labels;
  onDone: () => void;
}

const labelsOf = ({ run }: Marked): Labels => ({ name: run.name, tags: run.tags, notes: run.notes });

export function LabelsEditor({ id, first = "tags", onDone }: Props) {
  const [seen, setSeen] = useState<Marked | null>(null);
  const [draft, setDraft] = useState({ name: "", tags: "", notes: "" });
  const [both, setBoth] = useState<(keyof Labels)[]>([]);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);

  const show = ({ name, tags, notes }: Labels): void => setDraft({ name, tags: tags.join(", "), notes });
  useEffect(() => {
    getMarked(id).then(
      (found) => {
        setSeen(found);
        show(labelsOf(found));
      },
      (e: unknown) => setError(asError(e).message),
    );
  }, [id]);

  const tags = readTags(draft.tags);
  const wrong = !draft.name.trim() ? "A run needs a name." : wrongTags(tags);
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!seen || wrong) return setError(wrong);
    const mine = { ...draft, tags };
    setBusy(true);
    setError("");
    try {
      const changed = changes(labelsOf(seen), mine);
      if (Object.keys(changed).length > 0) put((await patchRun(id, changed, seen.etag)).run);
      return onDone();
    } catch (e) {
      if (e instanceof ApiError && e.status === 412)
        await meet(mine).catch((e: unknown) => setError(asError(e).message));
      else setError(asError(e).message);
    }
    setBusy(false);
  };
  /** Somebody has changed them meanwhile: theirs are read, and what both wrote is shown. */
  const meet = async (mine: Labels): Promise<void> => {
    const theirs = await getMarked(id);
    const { merged, both } = merge(labelsOf(seen!), mine, labelsOf(theirs));
    put(theirs.run);
    setSeen(theirs);
    setBoth(both);
    show(merged);
    setError(both.length ? "" : "Changed meanwhile in other places, which are taken over below. Save again.");
  };
  const keys = (event: KeyboardEvent): void => {
    event.stopPropagation(); // the table has keys of its own
    if (event.key === "Escape") onDone();
  };

  if (!seen) return <p class="labels">{error ? <span class="error">{error}</span> : "Reading…"}</p>;
  return (
    <form class="labels" aria-label={`Name, tags and notes of ${seen.run.name || id}`} onSubmit={save} onKeyDown={keys}>
      <Field
        label="Name"
        value={draft.name}
        most={120}
        start={first === "name"}
        onInput={(name) => setDraft({ ...draft, name })}
      />
      <Field
        label="Tags"
        value={draft.tags}
        most={1100}
        start={first === "tags"}
        onInput={(tags) => setDraft({ ...draft, tags })}
        hint="parted by commas"
      />
      <Field
        label="Notes"
        value={draft.notes}
        most={MOST_NOTES}
        start={first === "notes"}
        onInput={(notes) => setDraft({ ...draft, notes })}
        tall
      />
      {both.length > 0 && <Theirs fields={both} labels={labelsOf(seen)} onTake={show} />}
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <div class="dialog-buttons">
        <button type="button" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={busy}>
          {both.length ? "Save mine" : "Save"}
        </button>
      </div>
    </form>
  );
}

interface FieldProps {
  label: string;
  value: string;
  most: number;
  start: boolean;
  hint?: string;
  tall?: boolean;
  onInput: (value: string) => void;
}

function Field({ label, value, most, start, hint, tall, onInput }: FieldProps) {
  const id = useId();
  const props = { id, value, maxLength: most, ref: (el: HTMLElement | null) => void (start && focusOnce(el)) };
  return (
    <div class="field">
      <label for={id}>
        {label} {hint && <span class="muted">({hint})</span>}
      </label>
      {tall ? (
        <textarea {...props} rows={5} onInput={(e) => onInput(e.currentTarget.value)} />
      ) : (
        <input {...props} autocomplete="off" onInput={(e) => onInput(e.currentTarget.value)} />
      )}
      {value.length > most * 0.9 && <span class="muted">{most - value.length} letters left</span>}
    </div>
  );
}

const begun = new WeakSet<HTMLElement>();
function focusOnce(el: HTMLElement | null): void {
  if (!el || begun.has(el)) return;
  begun.add(el);
  el.focus();
}

function Theirs({
  fields,
  labels,
  onTake,
}: {
  fields: (keyof Labels)[];
  labels: Labels;
  onTake: (labels: Labels) => void;
}) {
  return (
    <div class="theirs" role="alert">
      <p>Changed meanwhile; here is theirs. Saving puts yours in its place.</p>
      <dl>
        {fields.map((field) => (
          <div key={field}>
            <dt>{field}</dt>
            <dd>{[labels[field]].flat().join(", ") || "(empty)"}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => onTake(labels)}>
        Take theirs
      </button>
    </div>
  );
}
