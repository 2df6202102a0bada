/** What is different from the run that is cloned, or from the method's own values. */
import { brief, type Change } from "../../spec/draft";
import { useForm } from "./form";

export function Changes({ changes, clone }: { changes: Change[]; clone: boolean }) {
  const { put, disabled } = useForm();
  const list = (
    <ul class="changes">
      {changes.map(({ path, before, after }) => (
        <li key={path.join(".")}>
          <code>{path.join(".")}</code>
          {before !== undefined && <del>{brief(before)}</del>} <ins>{brief(after)}</ins>
          {before !== undefined && (
            <button type="button" class="quiet" disabled={disabled} onClick={() => put(path, undefined)}>
              take back<span class="unseen"> {path.join(".")}</span>
            </button>
          )}
        </li>
      ))}
    </ul>
  );
  if (!clone)
    return changes.length === 0 ? null : (
      <details class="card new-card">
        <summary>
          <h2>Beyond the defaults ({changes.length})</h2>
        </summary>
        {list}
      </details>
    );
  return (
    <section class="card new-card" aria-labelledby="changes">
      <h2 id="changes">Changed</h2>
      {changes.length ? list : <p class="muted">Nothing yet: this would be the same run once more.</p>}
    </section>
  );
}
