/** What the service is at: workers, what they hold, what waits, whom it tells. Read again every few seconds. */
import { useEffect } from "preact/hooks";
import { getSession } from "../api/session";
import { getSystem } from "../api/system";
import { Failed, Waiting } from "../components/parts";
import { bytes } from "../format";
import { useLoaded } from "../loaded";
import { troublesOf } from "../pictures/system";
import { usePolled } from "../polled";
import type { SystemState } from "../types";
import { Audit } from "./system/Audit";
import { Leases } from "./system/Leases";
import { Queue } from "./system/Queue";
import { Webhooks } from "./system/Webhooks";
import { Workers } from "./system/Workers";
import "./System.css";

const EVERY_MS = 5000;

export default function System() {
  const { loaded, again } = usePolled(getSystem, EVERY_MS);
  const [session] = useLoaded(getSession, []);
  const held = loaded.state === "ready" ? loaded.value : null;
  useEffect(() => {
    document.title = "System · TRAPO";
  }, []);
  if (loaded.state === "loading") return <Waiting label="Loading the system" />;
  const admin = session.state === "ready" && session.value.scopes.includes("admin");
  return (
    <main id="main" class="system">
      <h1>System</h1>
      <Failed of={loaded} again={again} />
      {held && (
        <>
          <Glance state={held} />
          {troublesOf(held).map((words) => (
            <p key={words} class="trouble" role="status">
              {words}
            </p>
          ))}
          <Workers state={held} />
          <Leases state={held} />
          <Queue state={held} />
        </>
      )}
      {session.state === "ready" &&
        (admin ? (
          <>
            <Webhooks everyMs={6 * EVERY_MS} />
            <Audit />
          </>
        ) : (
          <section class="card part" aria-labelledby="for-admins">
            <h2 id="for-admins">Webhooks and audit log</h2>
            <p class="muted">They are shown to keys with the scope admin.</p>
          </section>
        ))}
    </main>
  );
}

function Glance({ state }: { state: SystemState }) {
  const gpus = state.workers.reduce((sum, worker) => sum + (worker.alive ? worker.gpus : 0), 0);
  const facts: [string, string][] = [
    ["workers", `${state.workers.filter((w) => !w.problem).length} of ${state.workers.length} well`],
    ["GPUs", gpus ? `${Object.keys(state.gpus).length} of ${gpus} held` : "none"],
    ["runs at work", `${state.held.length}`],
    ["waiting", `${state.queued}`],
    ["free on the disk", `${bytes(state.free_bytes)}, at least ${bytes(state.min_free_bytes)}`],
  ];
  return (
    <div class="facts">
      {facts.map(([name, value]) => (
        <div key={name} class="fact">
          <span>{name}</span>
          <b>{value}</b>
        </div>
      ))}
    </div>
  );
}
