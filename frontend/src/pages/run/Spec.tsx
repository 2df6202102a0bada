/** What was asked for, and the processes that were started for it. */
import { useState } from "preact/hooks";
import { clock, duration, words } from "../../format";
import { toYaml } from "../../pictures/yaml";
import { useStore } from "../../store/state";
import type { RunPartProps } from "../Run";

export default function SpecPart({ data }: RunPartProps) {
  return (
    <>
      <section class="card details" aria-labelledby="spec">
        <h2 id="spec">Spec</h2>
        <Spec spec={data.detail.spec} />
      </section>
      <section class="card details" aria-labelledby="attempts">
        <h2 id="attempts">Attempts</h2>
        <Attempts id={data.detail.id} />
      </section>
    </>
  );
}

function Spec({ spec }: { spec: Record<string, unknown> }) {
  const [json, setJson] = useState(false);
  return (
    <>
      <button type="button" class="quiet" onClick={() => setJson(!json)}>
        as {json ? "YAML" : "JSON"}
      </button>
      <pre>{json ? JSON.stringify(spec, null, 2) : toYaml(spec)}</pre>
    </>
  );
}

function Attempts({ id }: { id: string }) {
  const attempts = useStore().attempts.get(id) ?? [];
  if (attempts.length === 0) return <p class="muted">No process has been started for this run yet.</p>;
  return (
    <div class="table-wrap" role="region" aria-label="Attempts" tabIndex={0}>
      <table class="numbers">
        <thead>
          <tr>
            {["attempt", "host", "process", "from step", "started", "took", "end"].map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {attempts.map((a) => (
            <tr key={a.number}>
              <td>{a.number}</td>
              <td class="text">{a.host}</td>
              <td>{a.pid ?? "–"}</td>
              <td>{a.resumed_from_step ?? 0}</td>
              <td>{clock(a.started_at)}</td>
              <td>{a.ended_at ? duration((Date.parse(a.ended_at) - Date.parse(a.started_at)) / 1000) : "–"}</td>
              <td class="text">{endOf(a)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function endOf(a: {
  ended_at: string | null;
  reason: string | null;
  exit_code: number | null;
  signal: number | null;
}): string {
  if (!a.ended_at) return "under way";
  const how = a.signal ? `signal ${a.signal}` : a.exit_code !== null ? `exit ${a.exit_code}` : "";
  return [a.reason ? words(a.reason) : "done", how].filter(Boolean).join(", ");
}
