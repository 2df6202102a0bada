/** A run's events, newest first, read a page at a time in both directions; what happens meanwhile comes on top. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type AskedEvents, getEvents } from "./api/runs";
import { asError } from "./loaded";
import type { RunEvent } from "./types";

const PAGE = 200;
const MOST = 2000; // on the page, however long it stays open; the rest is asked for again
const PAUSE_MS = 1000; // between two questions for what is new

export interface Events {
  events: RunEvent[];
  state: "loading" | "ready" | Error;
  /** Whether there are more, as far as we know. */
  older: boolean;
  newer: boolean;
  /** Why the last that was asked for is not here. */
  failed: Error | null;
  more: (which: "older" | "newer") => void;
  again: () => void;
}

type Window = Pick<Events, "events" | "older" | "newer">;

/** With a page more at one end; what is too many goes at the other, where it can be asked for again. */
export function joined(held: Window, which: "older" | "newer", page: RunEvent[], full: boolean): Window {
  const over = held.events.length + page.length > MOST;
  if (which === "older")
    return { events: [...held.events, ...page].slice(-MOST), older: full, newer: held.newer || over };
  return { events: [...page.toReversed(), ...held.events].slice(0, MOST), newer: full, older: held.older || over };
}

const NOTHING = { events: [], state: "loading", older: false, newer: false, failed: null } as const;

/** `moved` changes whenever something may have happened. */
export function useEvents(id: string, asked: AskedEvents, moved: unknown): Events {
  const [held, set] = useState<Omit<Events, "more" | "again">>({ ...NOTHING, events: [] });
  const question = useRef(0);
  const busy = useRef(false);
  const { up_to, up_to_step, ...filter } = asked;

  const read = async (which: "first" | "older" | "newer"): Promise<void> => {
    if (which !== "first" && busy.current) return;
    if (which === "first") question.current += 1;
    const mine = question.current;
    busy.current = true;
    const [top, end] = [held.events[0]?.seq ?? 0, held.events.at(-1)?.seq];
    const where: AskedEvents =
      which === "first"
        ? { sort: "-seq", up_to, up_to_step }
        : which === "older"
          ? { sort: "-seq", before: end }
          : { sort: "seq", after: top };
    try {
      const { data } = await getEvents(id, { ...filter, ...where, limit: PAGE });
      if (question.current !== mine) return;
      const full = data.length === PAGE;
      set((now) => {
        if (which === "first") {
          const jumped = up_to !== undefined || up_to_step !== undefined;
          return { events: data, state: "ready", older: full, newer: jumped, failed: null };
        }
        return { ...now, ...joined(now, which, data, full), failed: null };
      });
    } catch (e) {
      if (question.current !== mine) return;
      // What is new is asked for again by the next event.
      if (which === "first") set((now) => ({ ...now, state: asError(e) }));
      else if (which === "older") set((now) => ({ ...now, failed: asError(e) }));
    } finally {
      if (question.current === mine) busy.current = false;
    }
  };

  useEffect(() => void read("first"), [id, JSON.stringify(asked)]);
  const fresh = held.state === "ready" && !held.newer;
  const latest = useRef(read);
  latest.current = read;
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => {
    // Not put off by what comes meanwhile: a busy run is looked at once a pause.
    if (fresh)
      timer.current ??= window.setTimeout(() => {
        timer.current = undefined;
        void latest.current("newer");
      }, PAUSE_MS);
  }, [moved, fresh]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return { ...held, more: (which) => void read(which), again: () => void read("first") };
}
