import { expect, test } from "vitest";
import { cleanLine, findIn, Log, lineOfRow, pieces, rowStarts } from "./log";

const lines = (log: Log): string[] => Array.from({ length: log.count }, (_, i) => log.line(i));

test("codes of a terminal are not shown, and of a progress bar its last state", () => {
  expect(cleanLine("\u001b[1;31mred\u001b[0m \u001b]0;title\u0007end\u001b[K")).toBe("red end");
  expect(cleanLine("10 %\r50 %\r100 %\r")).toBe("100 %");
  expect(cleanLine("a\tb\r")).toBe("a    b");
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
  const starts = rowStarts(log, 5);
  expect([...starts]).toEqual([0, 1, 2, 4, 5]);
  expect([0, 1, 2, 3, 4].map((row) => lineOfRow(starts, row))).toEqual([0, 1, 2, 2, 3]);
  expect([...rowStarts(log, 0)]).toEqual([0, 1, 2, 3, 4]);
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
