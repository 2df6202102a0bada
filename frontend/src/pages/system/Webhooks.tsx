/** Whom the service tells of state changes, and what became of the last messages. */
import { getWebhooks } from "../../api/system";
import { Failed } from "../../components/parts";
import { ago } from "../../format";
import { deliveryWords } from "../../pictures/system";
import { usePolled } from "../../polled";

export function Webhooks({ everyMs }: { everyMs: number }) {
  const { loaded, again } = usePolled(getWebhooks, everyMs);
  return (
    <section class="card part" aria-labelledby="webhooks">
      <h2 id="webhooks">Webhooks</h2>
      {loaded.state === "loading" && <p class="muted">Reading…</p>}
      <Failed of={loaded} again={again} />
      {loaded.state === "ready" && loaded.value.length === 0 && (
        <p class="muted">Nobody is told of state changes. POST /api/v1/webhooks adds an address.</p>
      )}
      {loaded.state === "ready" &&
        loaded.value.map((hook) => (
          <div key={hook.id} class="hook">
            <p>
              <bdi>{hook.url}</bdi>{" "}
              <span class="muted">
                {hook.states.length ? `on ${hook.states.join(", ")}` : "on every change"} · made by {hook.created_by}
              </span>
            </p>
            {hook.deliveries.length === 0 && <p class="muted">No message yet.</p>}
            <ul class="deliveries">
              {hook.deliveries.map((one) => (
                <li key={one.id} class={!one.delivered_at && one.attempts > 0 ? "error" : ""}>
                  {ago(one.created_at)}: {deliveryWords(one)}
                </li>
              ))}
            </ul>
          </div>
        ))}
    </section>
  );
}
