/** What the training process printed. */
import { useEffect, useState } from "preact/hooks";
import { getLogs } from "../../api/runs";
import type { RunPartProps } from "../Run";
import "./Events.css";

export default function Logs({ data }: RunPartProps) {
  const { id } = data.detail;
  const live = !data.detail.ended_at;
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState("");
  const read = (): void => {
    getLogs(id).then(setText, (e: Error) => setError(e.message));
  };
  useEffect(read, [id]);
  if (error) return <p class="muted">{error}</p>;
  return (
    <section class="card details" aria-label="Log">
      <p class="muted">
        The end of the newest attempt's output.{" "}
        {live && (
          <button type="button" class="quiet" onClick={read}>
            read again
          </button>
        )}
      </p>
      <pre class="log" role="region" aria-label="Output" tabIndex={0}>
        {text === null ? "Reading…" : text || "Nothing was printed."}
      </pre>
    </section>
  );
}
