/** What happened, newest first: by kind and text, from any step or time on. */
import { useMemo } from "preact/hooks";
import { EventTools } from "../../components/EventTools";
import { Failure } from "../../components/parts";
import { clock, count, words } from "../../format";
import { askedEvents, sentence, stepOf } from "../../pictures/happenings";
import { plain } from "../../pictures/plain";
import { setQuery } from "../../router";
import type { RunEvent } from "../../types";
import { useEvents } from "../../useEvents";
import type { RunPartProps } from "../Run";
import "./Events.css";

export default function Events({ data, query }: RunPartProps) {
  const asked = askedEvents(query);
  const { events, state, older, newer, failed, more, again } = useEvents(data.detail.id, asked, data);
  // The same elements while nothing is new: a busy run is drawn four times a second.
  const lines = useMemo(() => events.map((event) => <Line key={event.seq} event={event} />), [events]);
  const jumped = asked.up_to !== undefined || asked.up_to_step !== undefined;
  const filtered = query.has("kind") || !!asked.contains || jumped;
  return (
    <section class="card details" aria-label="Events">
      <EventTools query={query} />
      {state instanceof Error ? (
        <Failure error={state} again={again} />
      ) : state === "loading" ? (
        <p class="muted" role="status">
          Reading events…
        </p>
      ) : (
        <>
          <p class="muted events-said" role="status">
            {events.length === 0
              ? filtered
                ? "No event is like that."
                : "Nothing has happened yet."
              : `${count(events.length)} event${events.length === 1 ? "" : "s"}${older || newer ? " so far" : ""}.`}
            {newer && (
              <button type="button" class="quiet" onClick={() => more("newer")}>
                show newer
              </button>
            )}
          </p>
          <ol class="events">{lines}</ol>
          {failed && (
            <p class="error" role="alert">
              {failed.message}
            </p>
          )}
          {older && (
            <button type="button" onClick={() => more("older")}>
              Show older
            </button>
          )}
        </>
      )}
    </section>
  );
}

function Line({ event }: { event: RunEvent }) {
  const step = stepOf(event);
  return (
    <li class={event.type === "message" ? String(event.data.level) : ""}>
      <time dateTime={event.ts} title={clock(event.ts, "long")}>
        {clock(event.ts)}
      </time>
      <b>
        {words(event.type)}
        {event.type === "message" && event.data.level !== "info" && (
          <span class="level"> {String(event.data.level)}</span>
        )}
      </b>
      <span>{plain(sentence(event))}</span>
      {step !== null && (
        <button
          type="button"
          class="quiet"
          aria-label={`Events up to step ${step}`}
          title="Show events from here backwards"
          onClick={() => setQuery("step", `${step}`)}
        >
          step {count(step)}
        </button>
      )}
    </li>
  );
}
