/** What happened, newest first. */
import { useEffect, useState } from "preact/hooks";
import { bytes, clock, percent, words } from "../../format";
import { loadHappenings } from "../../store";
import type { RunEvent } from "../../types";
import type { RunPartProps } from "../Run";
import "./Events.css";

export default function Events({ data }: RunPartProps) {
  const [state, setState] = useState<"loading" | "ready" | Error>("loading");
  const { id } = data.detail;
  useEffect(() => {
    loadHappenings(id).then(
      () => setState("ready"),
      (e: Error) => setState(e),
    );
  }, [id]);
  if (state === "loading") return <p class="muted">Reading events…</p>;
  if (state instanceof Error)
    return (
      <p class="error" role="alert">
        {state.message}
      </p>
    );
  if (data.happenings.length === 0) return <p class="muted">Nothing has happened yet.</p>;
  return (
    <section class="card details" aria-label="Events">
      <ol class="events">
        {data.happenings.toReversed().map((event) => (
          <li key={event.seq} class={event.type === "message" ? String(event.data.level) : ""}>
            <time dateTime={event.ts}>{clock(event.ts)}</time>
            <b>{words(event.type)}</b>
            <span>{sentence(event)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function sentence({ type, data }: RunEvent): string {
  const d = data as Record<string, never>;
  switch (type) {
    case "run_state":
      return [d.state, d.reason && words(d.reason), d.message].filter(Boolean).join(" · ");
    case "attempt_started":
      return `attempt ${d.attempt} from step ${d.resumed_from_step} of ${d.total_steps}`;
    case "checkpoint":
      return `step ${d.step}, ${bytes(Number(d.bytes))}`;
    case "score":
      return `${d.benchmark} ${d.metric} ${percent(d.score)} [${percent(d.low)}, ${percent(d.high)}] at step ${d.step}`;
    case "step_skipped":
      return `step ${d.step}: ${d.message}`;
    case "message":
      return d.text ?? "";
    case "ended":
      return [`${d.outcome} at step ${d.step}`, d.reason && words(d.reason), d.message].filter(Boolean).join(" · ");
    default:
      return d.message ?? d.name ?? "";
  }
}
