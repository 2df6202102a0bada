/** A connection that stalls is not told by the browser: the socket stays open and nothing comes. The service says every
 *  15 seconds that it lives (`api/stream.py`). */
const SILENT_MS = 45_000;

export class Silence {
  private timer: number | undefined;

  constructor(private readonly onSilence: () => void) {}

  /** Something came, or a connection is being made. */
  heard(): void {
    this.stop();
    this.timer = window.setTimeout(this.onSilence, SILENT_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
