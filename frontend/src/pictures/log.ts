/** A log as lines: grown at both ends, cut into rows of a width, searched. Pure but for `Log`, which grows in place. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what escape codes are made of
const CODES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

/** Without the codes that colour a terminal; of a line that was written over and over, what stood there last. */
export function cleanLine(raw: string): string {
  let line = raw.includes("\u001b") ? raw.replace(CODES, "") : raw;
  if (line.includes("\r")) line = line.replace(/\r+$/, "").split("\r").at(-1)!;
  return line.includes("\t") ? line.replaceAll("\t", "    ") : line;
}

export class Log {
  /** Raised when lines come in at the beginning, so that numbers of lines mean others. */
  epoch = 0;
  private readonly whole: string[] = [];
  private open = ""; // a line without an end yet, as it came

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

  append(text: string): void {
    const lines = (this.open + text).split("\n");
    this.open = lines.pop()!;
    for (const line of lines) this.whole.push(cleanLine(line));
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
    const before = lines.map(cleanLine);
    for (let at = 0; at < before.length; at += 10_000) this.whole.splice(at, 0, ...before.slice(at, at + 10_000));
    this.epoch += 1;
    return before.length;
  }
}

/** `starts[i]` is the row at which line i begins when rows have `columns` characters; its last entry counts all rows. */
export function rowStarts(log: Log, columns: number): Int32Array {
  const starts = new Int32Array(log.count + 1);
  for (let i = 0; i < log.count; i += 1) {
    const length = columns > 0 ? log.line(i).length : 0;
    starts[i + 1] = starts[i]! + Math.max(1, columns > 0 ? Math.ceil(length / columns) : 1);
  }
  return starts;
}

/** The line in which a row lies. */
export function lineOfRow(starts: Int32Array, row: number): number {
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
