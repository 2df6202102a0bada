/** One EventSource for the tab. Hidden tabs hold no connection; they catch up from the last event they saw. */
import { getSession, streamUrl } from "./api/session";
import { num } from "./format";
import { EVENT_TYPES } from "./live";
import { Silence } from "./silence";
import type { RunEvent } from "./types";

export type Connection = "connecting" | "live" | "offline" | "asleep";

export interface Hooks {
  onEvent: (event: RunEvent) => void;
  onConnection: (connection: Connection) => void;
  /** We cannot say since which event we read what we hold: read everything again. */
  onGap: () => void;
}

const RETRY_MS = 3000;
const LONG_MS = 3_600_000; // of sleep: to be told all that happened takes longer than to read how it is now

export class Stream {
  private source: EventSource | null = null;
  private retry: number | undefined;
  private lastSeq: number | null = null;
  private asleepSince = Number.POSITIVE_INFINITY;
  private readonly silence = new Silence(() => {
    this.hooks.onConnection("offline");
    this.open();
  });

  constructor(private readonly hooks: Hooks) {
    document.addEventListener("visibilitychange", () => {
      if (!this.wanted) return;
      if (document.hidden) this.sleep();
      else if (!this.source) this.wake();
    });
  }

  private wanted = false;

  /** All that happens `after` this event will be told; without it, what was read before the stream opens is old. */
  start(after?: number): void {
    this.wanted = true;
    this.lastSeq ??= after ?? null;
    if (document.hidden) this.sleep();
    else if (!this.source) this.open();
  }

  stop(): void {
    this.wanted = false;
    this.lastSeq = null;
    this.close();
  }

  private sleep(): void {
    this.close();
    this.asleepSince = Date.now();
    this.hooks.onConnection("asleep");
  }

  private wake(): void {
    if (Date.now() - this.asleepSince > LONG_MS) this.lastSeq = null;
    this.open();
  }

  private close(): void {
    clearTimeout(this.retry);
    this.silence.stop();
    this.source?.close();
    this.source = null;
  }

  private open(): void {
    this.close();
    const source = new EventSource(streamUrl(this.lastSeq));
    this.source = source;
    this.silence.heard();
    source.onopen = () => {
      this.silence.heard();
      // Long asleep, or the session could not be asked for: the stream begins at "now", and all before it is read again.
      if (this.lastSeq === null) this.hooks.onGap();
      this.hooks.onConnection("live");
    };
    source.onerror = () => {
      this.hooks.onConnection("offline");
      // The browser reconnects by itself unless the answer was an error (a proxy's 502, an expired session).
      if (source.readyState === EventSource.CLOSED) {
        this.close();
        // Whose session has ended is led to the login by this answer.
        void getSession().catch(() => {});
        this.retry = window.setTimeout(() => this.wanted && !document.hidden && this.open(), RETRY_MS);
      }
    };
    source.addEventListener("alive", () => this.silence.heard());
    for (const type of EVENT_TYPES) source.addEventListener(type, (message) => this.take(message));
  }

  private take(message: MessageEvent<string>): void {
    this.silence.heard();
    const event = JSON.parse(message.data) as RunEvent;
    const seq = num(event.seq);
    // After a reconnect the server may send again what we have.
    if (this.lastSeq !== null && seq <= this.lastSeq) return;
    this.lastSeq = seq;
    this.hooks.onEvent(event);
  }
}
