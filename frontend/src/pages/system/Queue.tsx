/** What waits, in the order in which it will be taken. */
import { count, duration, words } from "../../format";
import type { SystemState } from "../../types";

export function Queue({ state: { queue, queued } }: { state: SystemState }) {
  return (
    <section class="card part" aria-labelledby="queue">
      <h2 id="queue">Queue</h2>
      {queue.length === 0 ? (
        <p class="muted">Nothing waits.</p>
      ) : (
        <>
          <p class="summary">
            {count(queued)} waiting{queued > queue.length && `, of which the first ${count(queue.length)} are shown`}.
            The highest priority is taken first, then the oldest.
          </p>
          <div class="table-wrap" role="region" aria-labelledby="queue" tabIndex={0}>
            <table class="numbers">
              <thead>
                <tr>
                  {["place", "run", "priority", "GPUs", "waits", "by", ""].map((name, i) => (
                    <th key={name} scope="col" class={[1, 5, 6].includes(i) ? "text" : ""}>
                      {name || <span class="muted">remark</span>}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {queue.map((run, i) => (
                  <tr key={run.run_id}>
                    <td>{i + 1}</td>
                    <td class="text">
                      <a href={`/runs/${run.run_id}`}>{run.name || run.run_id}</a>
                    </td>
                    <td>{run.priority}</td>
                    <td>{run.gpus ?? "1 if any"}</td>
                    <td>{duration(run.waits_s)}</td>
                    <td class="text">{run.created_by}</td>
                    <td class="text">
                      {run.reason && `again after: ${words(run.reason)} `}
                      {run.not_before_s !== null && `rests another ${duration(run.not_before_s)}`}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}
