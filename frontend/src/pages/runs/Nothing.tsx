/** Pages of a list without rows: before the first run, and when a filter finds none. */
import { setQuery } from "../../router";

const CURL = `curl -X POST ${location.origin}/api/v1/runs \\
  -H "Authorization: Bearer $TRAPO_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"kind": "train", "method": "trapo", "steps": 60, "prompts_per_step": 16,
       "model": {"source": "small_world"}, "data": {"format": "small_world"},
       "sampling": {"max_tokens": 96}}'`;

export function FirstRun() {
  return (
    <section class="card empty">
      <h2>No run yet</h2>
      <p>
        The demo trains a small model with TRAPO and with GRPO, side by side, in a few minutes on a CPU. Its runs appear
        here as soon as they are submitted.
      </p>
      <p>
        <a class="new-run" href="/new?recipe=demo">
          Set up the demo
        </a>{" "}
        or begin with <a href="/new">another recipe or a method</a>, or in a shell:
      </p>
      <pre>trapo submit recipes/demo.yaml</pre>
      <p>The same over HTTP, for one run:</p>
      <pre>{CURL}</pre>
      <p class="muted">
        Runs that were put away are found by <a href="/?q=is:archived">is:archived</a>.
      </p>
    </section>
  );
}

export function NothingMatches({ filter }: { filter: string }) {
  return (
    <section class="card empty">
      <h2>Nothing matches</h2>
      <p>
        No run is found by <code>{filter}</code>.
        {!/\bis:/.test(filter) && " Archived and deleted runs are left out: is:archived and is:deleted find those."}
      </p>
      <button type="button" onClick={() => setQuery("q", null)}>
        Show all runs
      </button>
    </section>
  );
}

export const Skeleton = () => (
  <div class="card skeleton" role="status" aria-label="Loading runs">
    {[1, 2, 3, 4].map((i) => (
      <div key={i} />
    ))}
  </div>
);
