import { useEffect, useState } from "preact/hooks";
import { Failure, Progress, RunLink, reasonText, Sparkline, StateChip } from "../components/parts";
import { ago, clock, decimal, percent, runName } from "../format";
import { loadMoreRuns, loadRuns, useStore } from "../store";
import type { Run } from "../types";
import "./Runs.css";

export default function RunsPage() {
  const { list, rows } = useStore();
  useEffect(() => {
    document.title = "Runs · TRAPO";
    void loadRuns();
  }, []);

  if (list.state === "loading") return <Skeleton />;
  if (list.state === "error") {
    return (
      <main id="main">
        <h1>Runs</h1>
        <Failure error={list.error} again={() => void loadRuns()} />
      </main>
    );
  }
  const runs = list.value.ids.flatMap((id) => rows.get(id) ?? []);
  return (
    <main id="main">
      <h1>Runs</h1>
      {runs.length === 0 ? <FirstRun /> : <RunTable runs={runs} />}
      {list.value.next && <More />}
    </main>
  );
}

function RunTable({ runs }: { runs: Run[] }) {
  return (
    <div class="card table-wrap">
      <table class="runs">
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Method</th>
            <th scope="col">State</th>
            <th scope="col">Progress</th>
            <th scope="col">Unguided reward</th>
            <th scope="col" class="right">
              Guided
            </th>
            <th scope="col" class="right">
              Score
            </th>
            <th scope="col" class="right">
              Created
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <Row key={run.id} run={run} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ run }: { run: Run }) {
  const { reward_unguided: reward, guided_share: guided, score, sparkline } = run.summary;
  const reason = reasonText(run);
  return (
    <tr>
      <td class="name">
        <RunLink run={run} />
        {run.tags.length > 0 && <span class="tags">{run.tags.join(" · ")}</span>}
      </td>
      <td data-label="Method">{run.method ?? <span class="muted">evaluation</span>}</td>
      <td data-label="State">
        <StateChip run={run} />
        {reason && (
          <span class="reason" title={run.advice ?? run.message}>
            {reason}
          </span>
        )}
      </td>
      <td data-label="Progress">
        <Progress run={run} />
      </td>
      <td data-label="Unguided reward" class="reward">
        {reward === null ? (
          <span class="muted">–</span>
        ) : (
          <>
            <Sparkline values={sparkline} label={`Unguided reward of ${runName(run)} over its steps`} />
            <span class="figure-number">{decimal(reward)}</span>
          </>
        )}
      </td>
      <td data-label="Guided" class="right">
        {percent(guided)}
      </td>
      <td data-label="Score" class="right">
        {percent(score)}
      </td>
      <td data-label="Created" class="right muted" title={clock(run.created_at)}>
        {ago(run.created_at)}
      </td>
    </tr>
  );
}

function More() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const more = (): void => {
    setBusy(true);
    setError("");
    loadMoreRuns()
      .catch((e: Error) => setError(e.message))
      .finally(() => setBusy(false));
  };
  return (
    <div class="more">
      <button type="button" onClick={more} disabled={busy}>
        {busy ? "Loading…" : "Older runs"}
      </button>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

const CURL = `curl -X POST ${location.origin}/api/v1/runs \\
  -H "Authorization: Bearer $TRAPO_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"kind": "train", "method": "trapo", "steps": 60, "prompts_per_step": 16,
       "model": {"source": "small_world"}, "data": {"format": "small_world"},
       "sampling": {"max_tokens": 96}}'`;

function FirstRun() {
  return (
    <section class="card empty">
      <h2>No run yet</h2>
      <p>
        The demo trains a small model with TRAPO and with GRPO, side by side, in a few minutes on a CPU. Its runs appear
        here as soon as they are submitted.
      </p>
      <pre>trapo submit recipes/demo.yaml</pre>
      <p>The same over HTTP, for one run:</p>
      <pre>{CURL}</pre>
    </section>
  );
}

function Skeleton() {
  return (
    <main id="main" aria-busy="true">
      <h1>Runs</h1>
      <div class="card skeleton" role="status" aria-label="Loading runs">
        {[1, 2, 3, 4].map((i) => (
          <div key={i} />
        ))}
      </div>
    </main>
  );
}
