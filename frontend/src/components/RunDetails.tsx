import { useEffect, useState } from "preact/hooks";
import { getLogs } from "../api";
import { bytes, clock, count, duration, percent, words } from "../format";
import type { RunData } from "../live";
import { toYaml } from "../pictures/yaml";
import { setQuery } from "../router";
import { loadHappenings, useStore } from "../store";
import type { RunEvent } from "../types";

const TABS = ["spec", "attempts", "events", "checkpoints", "log"] as const;
type Tab = (typeof TABS)[number];
export const tabOf = (text: string | null): Tab => TABS.find((t) => t === text) ?? "spec";

/** Below the pictures: what was asked for, and what happened. All of it as text. */
export function RunDetails({ data, tab }: { data: RunData; tab: Tab }) {
  return (
    <section class="card details" aria-label="Details">
      <nav class="tabs" aria-label="Details">
        {TABS.map((t) => (
          <button
            key={t}
            type="button"
            aria-pressed={t === tab}
            onClick={() => setQuery("tab", t === "spec" ? null : t)}
          >
            {t}
          </button>
        ))}
      </nav>
      {tab === "spec" && <Spec spec={data.detail.spec} />}
      {tab === "attempts" && <Attempts id={data.detail.id} />}
      {tab === "events" && <Events data={data} />}
      {tab === "checkpoints" && <Checkpoints data={data} />}
      {tab === "log" && <Log id={data.detail.id} live={!data.detail.ended_at} />}
    </section>
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
    <div class="table-wrap">
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

function Events({ data }: { data: RunData }) {
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
    <ol class="events">
      {data.happenings.toReversed().map((event) => (
        <li key={event.seq} class={event.type === "message" ? String(event.data.level) : ""}>
          <time dateTime={event.ts}>{clock(event.ts)}</time>
          <b>{words(event.type)}</b>
          <span>{sentence(event)}</span>
        </li>
      ))}
    </ol>
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

function Checkpoints({ data }: { data: RunData }) {
  if (data.checkpoints.length === 0) return <p class="muted">No checkpoint has been saved yet.</p>;
  return (
    <div class="table-wrap">
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

function Log({ id, live }: { id: string; live: boolean }) {
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState("");
  const read = (): void => {
    getLogs(id).then(setText, (e: Error) => setError(e.message));
  };
  useEffect(read, [id]);
  if (error) return <p class="muted">{error}</p>;
  return (
    <>
      <p class="muted">
        The end of the newest attempt's output.{" "}
        {live && (
          <button type="button" class="quiet" onClick={read}>
            read again
          </button>
        )}
      </p>
      <pre class="log">{text === null ? "Reading…" : text || "Nothing was printed."}</pre>
    </>
  );
}
