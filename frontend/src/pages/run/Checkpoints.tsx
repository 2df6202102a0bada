/** The models that the run saved and that are still there. */
import { bytes, clock, count } from "../../format";
import type { RunPartProps } from "../Run";

export default function Checkpoints({ data }: RunPartProps) {
  if (data.checkpoints.length === 0) return <p class="muted">No checkpoint has been saved yet.</p>;
  return (
    <div class="card details table-wrap">
      <table class="numbers">
        <thead>
          <tr>
            {["step", "size", "saved", "path", "sha256"].map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.checkpoints.map((c) => (
            <tr key={c.step}>
              <td>{count(c.step)}</td>
              <td>{bytes(c.bytes)}</td>
              <td>{clock(c.created_at)}</td>
              <td class="text">
                <code>{c.path}</code>
              </td>
              <td class="text">
                <code title={c.sha256}>{c.sha256.slice(0, 12)}…</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
