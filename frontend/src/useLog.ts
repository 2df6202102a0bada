/** A run's log: its end is read, older parts when they are asked for, and what comes is appended. Nothing is read twice:
 *  the stream goes on at the byte where the reading ended, also after the tab was hidden. */
import { useEffect, useRef, useState } from "preact/hooks";
import { getLogPart, logStreamUrl } from "./api/logs";
import { asError } from "./loaded";
import { Log } from "./pictures/log";
import { Silence } from "./silence";

const DRAW_MS = 250;
const RETRY_MS = 3000;
const PART = 1 << 20;

export type LogState = "loading" | "live" | "waiting" | "offline" | "ended" | Error;

export interface ReadLog {
  log: Log;
  attempt: number;
  /** The byte where the first line begins. */
  from: number;
  size: number;
  state: LogState;
  /** After a failure: asks once more. */
  again: () => void;
  /** Reads what stands before; resolves to the number of lines. */
  older: () => Promise<number>;
}

const nothing = () => ({
  ...{ log: new Log(), attempt: 0, last: 0, from: 0, next: 0, size: 0 },
  state: "loading" as LogState,
});

/** `attempt` null: the newest, and those that follow it. `goesOn` false: nothing more will come. When it becomes so, what
 *  is there stays: the stream says the rest and then that it ends. */
export function useLog(id: string, attempt: number | null, goesOn: boolean): ReadLog {
  const [, redraw] = useState(0);
  const held = useRef(nothing());
  const more = useRef(goesOn);
  more.current = goesOn;
  const goOn = useRef(() => {});
  const reading = useRef<Promise<number> | null>(null);
  const draw = (): void => redraw((n) => n + 1);

  useEffect(() => {
    const now = nothing();
    held.current = now;
    let source: EventSource | null = null;
    let timer: number | undefined;
    let drawing: number | undefined;
    let over = false;
    const say = (state: LogState): void => {
      now.state = state;
      draw();
    };
    const soon = (): void => {
      drawing ??= window.setTimeout(() => {
        drawing = undefined;
        draw();
      }, DRAW_MS);
    };
    const listen = (): void => {
      if (over || source || document.hidden || (now.state !== "waiting" && now.state !== "offline")) return;
      source = new EventSource(logStreamUrl(id, now.last, now.next));
      silence.heard();
      source.onopen = () => {
        silence.heard();
        say("live");
      };
      source.addEventListener("alive", () => silence.heard());
      source.onerror = () => {
        const closed = source?.readyState === EventSource.CLOSED;
        say("offline");
        if (!closed) return;
        rest();
        timer = window.setTimeout(listen, RETRY_MS);
      };
      source.addEventListener("log", (message) => {
        silence.heard();
        const part = JSON.parse(message.data) as { attempt: number; offset: number; text: string };
        if (part.attempt !== now.last) {
          now.log.settle();
          now.log.append(`── attempt ${part.attempt} ──\n`);
        } else if (part.offset < now.next) return; // said already, before the connection broke
        now.last = part.attempt;
        now.next = Number(message.lastEventId.split(":")[1]);
        now.log.append(part.text, { attempt: part.attempt, from: part.offset });
        Object.assign(now, now.log.bound());
        soon();
      });
      source.addEventListener("end", () => {
        rest();
        say("ended");
      });
    };
    const silence = new Silence(() => {
      rest();
      say("offline");
      listen();
    });
    const rest = (): void => {
      clearTimeout(timer);
      silence.stop();
      source?.close();
      source = null;
    };
    const turned = (): void => {
      if (!document.hidden) {
        listen();
        return;
      }
      rest();
      if (now.state === "live") now.state = "waiting";
    };
    const begin = (): void => {
      say("loading");
      getLogPart(id, attempt).then(
        (part) => {
          if (over) return;
          const { attempt, from, next, size } = part;
          now.log.append(part.text, { attempt, from });
          Object.assign(now, { attempt, from, next, size, last: attempt });
          say("ended");
          goOn.current();
        },
        (e: unknown) => !over && say(asError(e)),
      );
    };
    goOn.current = () => {
      if (now.state instanceof Error) begin();
      if (now.state !== "ended" || !more.current) return;
      now.state = "waiting";
      listen();
    };
    begin();
    document.addEventListener("visibilitychange", turned);
    return () => {
      over = true;
      rest();
      clearTimeout(drawing);
      document.removeEventListener("visibilitychange", turned);
    };
  }, [id, attempt]);
  // A run that was paused, or tried once more.
  useEffect(() => {
    if (goesOn) goOn.current();
  }, [goesOn]);

  const older = (): Promise<number> => {
    const now = held.current;
    if (now.from === 0 || now.log.isFull) return Promise.resolve(0);
    const { from } = now;
    reading.current ??= getLogPart(id, now.attempt, from, PART)
      .then((part) => {
        if (held.current !== now || now.from !== from) return 0;
        now.from = part.from;
        return now.log.prepend(part.text);
      })
      .finally(() => {
        reading.current = null;
        draw();
      });
    return reading.current;
  };
  return { ...held.current, again: () => goOn.current(), older };
}
