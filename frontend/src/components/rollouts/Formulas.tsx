/** Text whose formulas are drawn by the browser, as far as `pictures/latex` reads them; a formula tells its source. */
import { type ComponentChild, h } from "preact";
import { type MathNode, spansOf } from "../../pictures/latex";

export function Formulas({ text }: { text: string }) {
  return (
    <>
      {spansOf(text).map((span, i) =>
        "text" in span
          ? span.text
          : h("math", { key: i, title: span.source, display: span.block ? "block" : "inline" }, drawn(span.math)),
      )}
    </>
  );
}

function drawn({ tag, parts }: MathNode): ComponentChild {
  const inside = typeof parts === "string" ? parts : parts.map(drawn);
  return tag === "boxed" ? h("mrow", { class: "boxed" }, inside) : h(tag, null, inside);
}
