/** Each worker: whether it takes runs, its GPUs with what holds them, its slots and its disk. */
import { ago, bytes, words } from "../../format";
import { conditionOf, type Gpu, gpusOf, strayGpus } from "../../pictures/system";
import type { SystemState } from "../../types";

const CHIPS = { well: "succeeded", troubled: "paused", silent: "failed" } as const;

export function Workers({ state }: { state: SystemState }) {
  const stray = strayGpus(state);
  return (
    <section class="card part" aria-labelledby="workers">
      <h2 id="workers">Workers</h2>
      {state.workers.length === 0 && <p class="muted">No worker has signed on in the last day.</p>}
      <ul class="workers">
        {state.workers.map((worker) => {
          const condition = conditionOf(worker);
          const low = worker.free_bytes !== null && worker.free_bytes < state.min_free_bytes;
          return (
            <li key={worker.id} class="worker">
              <div class="worker-head">
                <b>{worker.host}</b> <code>{worker.id}</code>{" "}
                <span class={`chip ${CHIPS[condition]}`}>{words(condition)}</span>
                <span class="muted"> last word {ago(worker.heartbeat_at)}</span>
              </div>
              {worker.problem && <p class="problem">{worker.problem}</p>}
              <p class="worker-facts">
                {worker.run_ids.length} of {worker.slots} slots taken ·{" "}
                <span class={low ? "error" : ""}>
                  {worker.free_bytes === null ? "disk not known" : `${bytes(worker.free_bytes)} free`}
                </span>{" "}
                (at least {bytes(state.min_free_bytes)})
              </p>
              {worker.gpus > 0 && (
                <ul class="gpus" aria-label={`GPUs of ${worker.host}`}>
                  {gpusOf(worker, state.held).map((gpu, i) => (
                    <GpuBox key={i} gpu={gpu} />
                  ))}
                </ul>
              )}
            </li>
          );
        })}
      </ul>
      {stray.length > 0 && (
        <p class="muted">
          Held without a lease:{" "}
          {stray.map(([gpu, run]) => (
            <span key={gpu}>
              {gpu} by <a href={`/runs/${run}`}>{run}</a>{" "}
            </span>
          ))}
        </p>
      )}
    </section>
  );
}

function GpuBox({ gpu: { name, run } }: { gpu: Gpu }) {
  if (!run) return <li class="gpu">free</li>;
  return (
    <li class="gpu taken">
      <span class="muted">GPU {name.length > 12 ? `${name.slice(0, 12)}…` : name}</span>{" "}
      <a href={`/runs/${run.run_id}`}>{run.name || run.run_id}</a>
    </li>
  );
}
