import { expect, test, vi } from "vitest";
import { cleanLine, findIn, Log, lineOfRow, pieces, rowsOf } from "./log";

const lines = (log: Log): string[] => Array.from({ length: log.count }, (_, i) => log.line(i));

test("codes of a terminal are not shown, and of a progress bar its last state", () => {
  expect(cleanLine("\u001b[1;31mred\u001b[0m \u001b]0;title\u0007end\u001b[K")).toBe("red end");
  expect(cleanLine("10 %\r50 %\r100 %\r")).toBe("100 %");
  expect(cleanLine("a\tb\r")).toBe("a    b");
});

test("a line that is written over and over does not grow", () => {
  const log = new Log();
  for (let n = 0; n < 1000; n += 1) log.append(`${n} %\r`);
  expect([log.line(0), (log as unknown as { open: string }).open]).toEqual(["999 %", "999 %\r"]);
  log.append("\r");
  expect(log.line(0)).toBe("999 %");
});

test("a log grows at both ends, also in the middle of a line or of a code", () => {
  const log = new Log();
  log.append("three\nfo");
  expect(lines(log)).toEqual(["three", "fo"]);
  log.append("ur\u001b[3");
  log.append("1m!\n");
  expect(lines(log)).toEqual(["three", "four!"]);
  expect(log.prepend("one\ntwo\n")).toBe(2);
  expect([lines(log), log.epoch, log.settled]).toEqual([["one", "two", "three", "four!"], 1, 4]);
  log.prepend("long beginning of ");
  expect(log.line(0)).toBe("long beginning of one");
  log.append("no end");
  log.settle();
  expect(log.settled).toBe(5);
});

test("many thousand lines come in at once", () => {
  const log = new Log();
  log.append("end\n");
  expect(log.prepend("x\n".repeat(250_000))).toBe(250_000);
  expect([log.count, log.line(249_999), log.line(250_000)]).toEqual([250_001, "x", "end"]);
});

test("long lines take several rows, empty ones one", () => {
  const log = new Log();
  log.append("12345\n\n1234567890\n123");
  const { starts } = rowsOf(log, 5, null);
  expect(starts).toEqual([0, 1, 2, 4, 5]);
  expect([0, 1, 2, 3, 4].map((row) => lineOfRow(starts, row))).toEqual([0, 1, 2, 2, 3]);
  expect(rowsOf(log, 0, null).starts).toEqual([0, 1, 2, 3, 4]);
});

test("rows go on from those of before; only the open line is looked at again", () => {
  const log = new Log();
  log.append("12345\n123");
  const rows = rowsOf(log, 5, null);
  log.append("4567\n12\n");
  const line = vi.spyOn(log, "line");
  expect(rowsOf(log, 5, rows).starts).toEqual([0, 1, 3, 4]);
  expect(line.mock.calls).toEqual([[1], [2]]);
  log.prepend("0\n");
  expect(rowsOf(log, 5, rows).starts).toEqual([0, 1, 2, 4, 5]);
  expect(rowsOf(log, 2, rows).starts).toEqual([0, 1, 4, 8, 9]);
});

test("of a log without end the older half goes, and it is known where to read it again", () => {
  const log = new Log(1 << 20);
  const part = "x".repeat(1023);
  let from = 5000;
  let place = null;
  log.append("first\n", { attempt: 1, from: 4994 });
  for (let n = 0; !place; n += 1) {
    log.append(`${part}\n`, { attempt: 1, from });
    from += 1024;
    place = log.bound();
    expect(n).toBeLessThan(1025);
  }
  expect(place.attempt).toBe(1);
  expect((place.from - 5000) % 1024).toBe(0);
  expect(log.gone).toBe(1 + (place.from - 5000) / 1024);
  expect(log.count).toBe((from - place.from) / 1024);
  expect([log.isFull, log.bound(), log.epoch]).toEqual([false, null, 1]);
  // What is older comes in again, and the same place is found once more.
  const { gone } = log;
  expect(log.prepend(`${part}\n`.repeat(3))).toBe(3);
  expect(log.gone).toBe(gone - 3);
});

test("words are found whatever the case, and told apart in their line", () => {
  const log = new Log();
  log.append("Loss loss\nnone\nLOSS");
  expect(findIn(log, "loss", 0, log.count)).toEqual([
    [0, 0],
    [0, 5],
    [2, 0],
  ]);
  expect(findIn(log, "", 0, 3)).toEqual([]);
  expect(pieces("Loss loss", 0, 9, [0, 5], 4, 5)).toEqual([
    { text: "Loss", mark: 1 },
    { text: " ", mark: 0 },
    { text: "loss", mark: 2 },
  ]);
  expect(pieces("Loss loss", 2, 7, [0, 5], 4, null).map((p) => p.text)).toEqual(["ss", " ", "lo"]);
  expect(pieces("", 0, 5, [], 4, null)).toEqual([]);
});
