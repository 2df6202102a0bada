import { expect, it } from "vitest";
import { marked, oneLine, plain } from "./plain";

it("what steers a screen is shown instead of obeyed", () => {
  expect(plain("a\u0000b\u001b[31m\u202egnp\u2066.\u007f\u0085\r\n\tz")).toBe(
    "a␀b␛[31m⟨U+202E⟩gnp⟨U+2066⟩.␡⟨U+0085⟩␍\n\tz",
  );
  expect(plain("<script>𝑥 שלום é")).toBe("<script>𝑥 שלום é");
});

it("blanks are seen where asked", () => {
  expect(marked("a b\n\tc")).toBe("a·b↵\n→\tc");
  expect(oneLine("  What\n is\t2? ")).toBe("What is 2?");
});
