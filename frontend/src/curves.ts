/** The curves of one run that the open page shows, and how they grow. Each is read once, when a picture of it comes into
 *  view, and from then on grows by events; smoothed ones too, from the last steps themselves. */
import { POINTS, querySeries } from "./api/readings";
import { num } from "./format";
import { asError } from "./loaded";
import { append, cut, halved, lastMean } from "./pictures/columns";
import type { Column } from "./types";

type Columns = Map<string, Column>;
type Metrics = Record<string, unknown>;

const RECENT = 500; // steps that may arrive while a curve is read
const GROWN = 4; // times as many points as are read at once

const last = ({ steps, values }: Column, n: number): Column => ({ steps: steps.slice(-n), values: values.slice(-n) });

export class Curves {
  readonly raw: Columns = new Map();
  readonly smoothed: Columns = new Map();
  /** Every one of the last `window` steps, where `raw` has buckets. */
  private readonly tails: Columns = new Map();
  private recent: [number, Metrics][] = [];
  window = 1;
  /** Counts up with each change, for those who hold on to what they made of it. */
  version = 0;

  /** `how` is asked for each curve: fewer points, where many runs share a picture. */
  constructor(
    readonly id: string,
    readonly how: { points?: number } = {},
    /** Draws before the smoothed curves are there: they cost the api the most where runs are many and long. */
    private readonly rawFirst = false,
  ) {}

  /** What could not be read last time it was asked for. */
  private readonly failed = new Map<string, Error>();
  private reading: Promise<void> = Promise.resolve();
  tailing: Promise<void> = Promise.resolve();

  /** Reads what is missing of `keys`, after what is being read already; `onPart` hears of what can be drawn before all
   *  is there. `errorOf` tells of a failure. */
  show(keys: readonly string[], window: number, onPart = (): void => {}): Promise<void> {
    this.reading = this.reading
      .then(() => this.read(keys, window, onPart))
      .then(
        () => {
          for (const key of keys) this.failed.delete(key);
        },
        (e: unknown) => {
          for (const key of keys) this.failed.set(key, asError(e));
        },
      );
    return this.reading;
  }

  errorOf(keys: readonly string[]): Error | null {
    return keys.map((key) => this.failed.get(key)).find(Boolean) ?? null;
  }

  /** With another window all smoothed curves are read anew. What is there stays until the new is. */
  private async read(keys: readonly string[], window: number, onPart: () => void): Promise<void> {
    const anew = window !== this.window;
    const missing = keys.filter((key) => !this.raw.has(key));
    const unsmoothed = window === 1 ? [] : keys.filter((key) => anew || !this.smoothed.has(key));
    const none: Columns = new Map();
    const readRaw = async (): Promise<void> => {
      for (const [key, column] of missing.length ? await querySeries(this.id, missing, this.how) : none)
        this.raw.set(key, column);
    };
    const readSmoothed = (): Promise<Columns> | Columns =>
      unsmoothed.length ? querySeries(this.id, unsmoothed, { ...this.how, smooth: window }) : none;
    if (this.rawFirst && missing.length) {
      await readRaw();
      this.version += 1;
      onPart();
    }
    const [smoothed] = await Promise.all([readSmoothed(), this.rawFirst ? null : readRaw()]);
    if (anew) this.smoothed.clear();
    this.window = window;
    for (const [key, column] of smoothed) this.smoothed.set(key, column);
    this.catchUp();
    const long = unsmoothed.filter((key) => this.raw.get(key)?.low);
    if (long.length) this.readTails(long);
  }

  /** What a smoothed curve needs to go on, where the history came in buckets. The picture does not wait for it. */
  private readTails(keys: readonly string[]): void {
    const end = Math.max(0, ...keys.map((key) => this.smoothed.get(key)?.steps.at(-1) ?? 0));
    const from_step = Math.max(0, end - this.window + 1);
    this.tailing = querySeries(this.id, [...keys], { from_step, points: 10_000 }).then(
      (tails) => {
        for (const [key, column] of tails) this.tails.set(key, column);
        this.catchUp();
      },
      () => {}, // the smoothed line ends until the page is opened again; the steps themselves go on
    );
  }

  /** Takes the steps that came while we were reading; those that the answer has are not taken twice. */
  private catchUp(): void {
    for (const [step, metrics] of this.recent) this.grow(step, metrics);
    this.version += 1;
  }

  add(step: number, metrics: Metrics): void {
    this.recent.push([step, metrics]);
    if (this.recent.length > RECENT) this.recent.shift();
    this.grow(step, metrics);
    this.version += 1;
  }

  private grow(step: number, metrics: Metrics): void {
    for (const [key, value] of Object.entries(metrics)) {
      const [column, smoothed, tail] = [this.raw.get(key), this.smoothed.get(key), this.tails.get(key)];
      // A series that the page does not show is not held: its past would be missing.
      if (column) append(column, step, num(value));
      if (tail) append(tail, step, num(value));
      const exact = tail ?? (column?.low ? undefined : column);
      if (smoothed && exact && exact.steps.at(-1) === step) append(smoothed, step, lastMean(exact, this.window));
      this.bound(key);
    }
  }

  /** However long the page stays open, a curve has so many points at most; zoomed in, the finer ones are read. */
  private bound(key: string): void {
    const most = GROWN * (this.how.points ?? POINTS);
    const [column, smoothed, tail] = [this.raw.get(key), this.smoothed.get(key), this.tails.get(key)];
    if (tail && tail.steps.length > 2 * this.window) this.tails.set(key, last(tail, this.window));
    if (column && column.steps.length > most) {
      if (smoothed && !tail && !column.low) this.tails.set(key, last(column, this.window));
      this.raw.set(key, halved(column));
    }
    if (smoothed && smoothed.steps.length > most) this.smoothed.set(key, halved(smoothed));
  }

  /** How often another attempt took over: what was read of the one before is void. */
  cuts = 0;

  /** Another attempt goes on from `step`. */
  cut(step: number): void {
    this.cuts += 1;
    for (const columns of [this.raw, this.smoothed, this.tails])
      for (const [key, column] of columns) columns.set(key, cut(column, step));
    this.recent = this.recent.filter(([at]) => at <= step);
    this.version += 1;
  }

  /** The same curves read again from the start: events were missed. Those that are being read are among them, so that no
   *  picture is emptied on the way. */
  async again(): Promise<Curves> {
    await this.reading;
    const fresh = new Curves(this.id, this.how, this.rawFirst);
    await fresh.show([...this.raw.keys()], this.window);
    const error = fresh.errorOf([...this.raw.keys()]);
    if (error) throw error;
    return fresh;
  }
}
