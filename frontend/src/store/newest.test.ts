import { expect, it } from "vitest";
import { keepNewest } from "./newest";

it("what was looked at longest ago is let go first", () => {
  const map = new Map([..."abc"].map((key) => [key, key.toUpperCase()]));
  expect(keepNewest(map, "a", 3)).toEqual([]);
  expect([...map.keys()]).toEqual(["b", "c", "a"]);
  // One that is yet to be read has its place already.
  expect(keepNewest(map, "d", 3)).toEqual(["b"]);
  map.set("d", "D");
  expect(keepNewest(map, "c", 2)).toEqual(["a"]);
  expect([...map]).toEqual([
    ["d", "D"],
    ["c", "C"],
  ]);
});
