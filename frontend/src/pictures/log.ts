/** A log as lines: grown at both ends, cut into rows of a width, searched. Pure but for `Log`, which grows in place. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what escape codes are made of
const CODES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

/** Without the codes that colour a terminal; of a line that was written over and over, what stood there last. */
export function cleanLine(raw: string): string {
  let line = raw.includes("\u001b") ? raw.replace(CODES, "") : raw;
  if (line.includes("\r")) line = line.replace(/\r+$/, "").split("\r").at(-1)!;
  return line.includes("\t") ? line.replaceAll("\t", "    ") : line;
}

const MOST = 1 << 26; // characters that are held
const MARK = 1 << 16; // characters from one place that is known to the next

/** Where a line begins: the byte of an attempt's log. */
export interface LogPlace {
  attempt: number;
  from: number;
}

export class Log {
  /** Raised when lines come in or go at the beginning, so that numbers of lines mean others. */
  epoch = 0;
  /** How many lines went at the beginning, less those that came in there. */
  gone = 0;
  private readonly whole: string[] = [];
  private open = ""; // a line without an end yet, as it came
  private size = 0;
  /** Lines that something was read from, counted with those that are gone, and how much was held before it. */
  private marks: { line: number; at: number; place: LogPlace }[] = [];

  constructor(private readonly most = MOST) {}

  /** No older lines fit in: what is newer would have to go. */
  get isFull(): boolean {
    return this.size > this.most / 2;
  }

  get count(): number {
    return this.whole.length + (this.open ? 1 : 0);
  }

  /** Lines that will not change any more. */
  get settled(): number {
    return this.whole.length;
  }

  line(at: number): string {
    return at < this.whole.length ? this.whole[at]! : cleanLine(this.open);
  }

  /** `place`: where `text` begins. */
  append(text: string, place?: LogPlace): void {
    const last = this.marks.at(-1)?.at ?? -MARK;
    if (place && !this.open && this.size - last >= MARK)
      this.marks.push({ line: this.gone + this.whole.length, at: this.size, place });
    const lines = (this.open + text).split("\n");
    // Of a line that is written over and over for hours, what stands there now.
    this.open = lines.pop()!.replace(/^.*\r(?=[^\r])/s, "");
    for (const line of lines) this.whole.push(this.measured(cleanLine(line)));
  }

  private measured(line: string): string {
    this.size += line.length + 1;
    return line;
  }

  /** Lets the older half go when there is too much; tells where the rest begins. They can be read again. */
  bound(): LogPlace | null {
    if (this.size <= this.most) return null;
    const kept = this.marks.find(({ at }) => this.size - at <= this.most / 2);
    if (!kept) return null; // one part as large as all
    const { line, at, place } = kept;
    this.whole.splice(0, line - this.gone);
    this.gone = line;
    this.size -= at;
    this.marks = this.marks.filter((one) => one.line >= line).map((one) => ({ ...one, at: one.at - at }));
    this.epoch += 1;
    return place;
  }

  /** Ends the open line, such as at the end of an attempt. */
  settle(): void {
    if (this.open) this.append("\n");
  }

  /** What stood before the first line; how many lines that are. */
  prepend(text: string): number {
    if (!text) return 0;
    const lines = text.split("\n");
    const last = lines.pop()!;
    // Of a line longer than a part, the rest is here already.
    if (last && this.whole.length > 0) this.whole[0] = cleanLine(last) + this.whole[0];
    else if (last) this.open = last + this.open;
    const held = this.size;
    const before = lines.map((line) => this.measured(cleanLine(line)));
    for (let at = 0; at < before.length; at += 10_000) this.whole.splice(at, 0, ...before.slice(at, at + 10_000));
    this.epoch += 1;
    this.gone -= before.length;
    for (const mark of this.marks) mark.at += this.size - held;
    return before.length;
  }
}

/** `starts[i]` is the row at which line i begins when rows have `columns` characters; its last entry counts all rows. */
export interface Rows {
  log: Log;
  epoch: number;
  columns: number;
  starts: number[];
  /** Lines that need not be looked at again. */
  settled: number;
}

/** Goes on from those of before, in place, as long as the lines mean the same. */
export function rowsOf(log: Log, columns: number, before: Rows | null): Rows {
  const { epoch } = log;
  const same = before?.log === log && before.epoch === epoch && before.columns === columns;
  const rows = same ? before : { log, epoch, columns, starts: [0], settled: 0 };
  const { starts } = rows;
  starts.length = rows.settled + 1;
  for (let i = rows.settled; i < log.count; i += 1)
    starts.push(starts[i]! + (columns > 0 ? Math.max(1, Math.ceil(log.line(i).length / columns)) : 1));
  rows.settled = log.settled;
  return rows;
}

/** The line in which a row lies. */
export function lineOfRow(starts: readonly number[], row: number): number {
  let [low, high] = [0, starts.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Places of `words` in lines [from, to), whatever the case: [line, column]. */
export function findIn(log: Log, words: string, from: number, to: number): [number, number][] {
  const wanted = words.toLowerCase();
  const found: [number, number][] = [];
  if (!wanted) return found;
  for (let line = from; line < to; line += 1) {
    const text = log.line(line).toLowerCase();
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) found.push([line, at]);
  }
  return found;
}

export interface Piece {
  text: string;
  /** 0: no match, 1: a match, 2: the one that is looked at. */
  mark: 0 | 1 | 2;
}

/** The characters [from, to) of a line in pieces, with the matches that begin at `columns` told apart. */
export function pieces(
  line: string,
  from: number,
  to: number,
  columns: readonly number[],
  length: number,
  current: number | null,
): Piece[] {
  const found: Piece[] = [];
  let at = from;
  for (const column of columns) {
    const [begin, end] = [Math.max(column, at), Math.min(column + length, to)];
    if (end <= begin) continue;
    if (begin > at) found.push({ text: line.slice(at, begin), mark: 0 });
    found.push({ text: line.slice(begin, end), mark: column === current ? 2 : 1 });
    at = end;
  }
  if (at < Math.min(to, line.length)) found.push({ text: line.slice(at, to), mark: 0 });
  return found;
}
