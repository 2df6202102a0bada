/** The runs that are worked on, and until when without another word of their worker. */

import { StateChip } from "../../components/parts";
import { count } from "../../format";
import { leaseWords } from "../../pictures/system";
import type { SystemState } from "../../types";

export function Leases({ state }: { state: SystemState }) {
  return (
    <section class="card part" aria-labelledby="leases">
      <h2 id="leases">Leases</h2>
      {state.held.length === 0 ? (
        <p class="muted">No run is being worked on.</p>
      ) : (
        <div class="table-wrap" role="region" aria-labelledby="leases" tabIndex={0}>
          <table class="numbers">
            <thead>
              <tr>
                {["run", "state", "step", "worker", "attempt", "GPUs", "lease"].map((name, i) => (
                  <th key={name} scope="col" class={i === 2 || i === 4 ? "" : "text"}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {state.held.map((run) => (
                <tr key={run.run_id}>
                  <td class="text">
                    <a href={`/runs/${run.run_id}`}>{run.name || run.run_id}</a>
                  </td>
                  <td class="text">
                    <StateChip run={run} />
                  </td>
                  <td>
                    {count(run.step)}
                    {run.total_steps > 0 && ` of ${count(run.total_steps)}`}
                  </td>
                  <td class="text">{run.host || run.worker_id}</td>
                  <td>{run.attempt}</td>
                  <td class="text">{run.gpu_ids.join(", ") || "none"}</td>
                  <td class={run.expires_in_s !== null && run.expires_in_s < state.lease_s / 3 ? "text error" : "text"}>
                    {leaseWords(run.expires_in_s)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
