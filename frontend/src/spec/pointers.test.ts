import { describe, expect, it } from "vitest";
import { idOf, isWithin, nearestField, placeOf, plain, pointerOf, textOf } from "./pointers";

describe("pointers", () => {
  it("are made of paths", () => {
    expect(pointerOf(["guidance", "slots", 0, "n"])).toBe("/guidance/slots/0/n");
    expect(pointerOf(["a/b", "c~d"])).toBe("/a~1b/c~0d");
  });
  it("know what is within what", () => {
    expect(isWithin("/data/path", "/data")).toBe(true);
    expect(isWithin("/database", "/data")).toBe(false);
  });
  it("of a clone and of a sweep lead to the field that they change", () => {
    const pointer = (of: string) => plain({ pointer: of, message: "" }).pointer;
    expect(pointer("/overrides/optimizer.lr")).toBe("/optimizer/lr");
    expect(pointer("/overrides/guidance.slots/0/n")).toBe("/guidance/slots/0/n");
    expect(pointer("/spec/steps")).toBe("/steps");
    expect(pointer("/steps")).toBe("/steps");
  });
  it("find the nearest field upwards", () => {
    const there = new Set([idOf("/lora/target_modules"), idOf("/lora")]);
    const find = (id: string) => (there.has(id) ? id : null);
    expect(nearestField("/lora/target_modules/literal/x", find)).toBe("field:/lora/target_modules");
    expect(nearestField("/other", find)).toBeNull();
  });
  it("are told in words", () => {
    expect(placeOf("/optimizer/weight_decay")).toBe("optimizer › weight decay");
    expect(textOf({ pointer: "", message: "is missing.", hint: "Every spec needs it." })).toBe(
      "is missing. Every spec needs it.",
    );
  });
});
