/** Who did what, newest first. */
import { useState } from "preact/hooks";
import { getAudit } from "../../api/system";
import { clock } from "../../format";
import { asError, useLoaded } from "../../loaded";
import type { AuditEntry } from "../../types";

export function Audit() {
  const [first, again] = useLoaded(() => getAudit(null), []);
  const [more, setMore] = useState<{ rows: AuditEntry[]; next: string | null } | null>(null);
  const [error, setError] = useState("");
  const held = first.state === "ready" ? first.value : null;
  const rows = [...(held?.data ?? []), ...(more?.rows ?? [])];
  const next = more ? more.next : (held?.next_cursor ?? null);
  const older = async (): Promise<void> => {
    try {
      const page = await getAudit(next);
      setMore({ rows: [...(more?.rows ?? []), ...page.data], next: page.next_cursor ?? null });
      setError("");
    } catch (e) {
      setError(asError(e).message);
    }
  };
  return (
    <section class="card part" aria-labelledby="audit">
      <h2 id="audit">
        Audit log{" "}
        <button
          type="button"
          class="quiet"
          onClick={() => {
            setMore(null);
            again();
          }}
        >
          read again
        </button>
      </h2>
      {(error || first.state === "error") && (
        <p class="error" role="alert">
          {error || (first.state === "error" && first.error.message)}
        </p>
      )}
      {held && rows.length === 0 && <p class="muted">Nobody has done anything yet.</p>}
      {rows.length > 0 && (
        <div class="table-wrap" role="region" aria-labelledby="audit" tabIndex={0}>
          <table class="numbers">
            <thead>
              <tr>
                {["when", "who", "what", "of", "from", "outcome"].map((name) => (
                  <th key={name} scope="col" class="text">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.id}>
                  <td class="text">{clock(one.at)}</td>
                  <td class="text">{one.principal || "nobody"}</td>
                  <td class="text">
                    <code>
                      {one.method} {one.route.replace("/api/v1", "")}
                    </code>
                  </td>
                  <td class="text">
                    {one.run_id ? <a href={`/runs/${one.run_id}`}>{one.run_id}</a> : (one.target ?? "")}
                  </td>
                  <td class="text">{one.address}</td>
                  <td class={one.outcome === "done" ? "text" : "text error"}>
                    {one.outcome}
                    {one.status !== null && `, ${one.status}`}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next && (
        <button type="button" onClick={() => void older()}>
          Show older
        </button>
      )}
    </section>
  );
}
