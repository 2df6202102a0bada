/** A drawing as an SVG file: text, so that it can be edited and is sharp in print. */
import type { Drawing, Mark } from "./marks";

type Color = (name: string) => string;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be found
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;
const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Names come from people and models; in a file of markup they are escaped, and what XML 1.0 forbids is left out. */
export const escapeXml = (text: string): string =>
  text.replace(FORBIDDEN, "").replace(/[&<>"]/g, (char) => ENTITIES[char]!);

const round = (x: number): string => String(Math.round(x * 100) / 100);

function element(name: string, attributes: Record<string, string | number | undefined>, text?: string): string {
  const words = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? round(value) : escapeXml(value!)}"`)
    .join("");
  return text === undefined ? `<${name}${words}/>` : `<${name}${words}>${escapeXml(text)}</${name}>`;
}

export function markToSvg(mark: Mark, color: Color): string {
  switch (mark.kind) {
    case "rect":
      return element("rect", {
        x: mark.x,
        y: mark.y,
        width: Math.max(0, mark.w),
        height: mark.h,
        rx: mark.r,
        fill: color(mark.fill),
        "fill-opacity": mark.opacity,
      });
    case "line": {
      const { x1, y1, x2, y2 } = mark;
      return element("line", {
        x1,
        y1,
        x2,
        y2,
        stroke: color(mark.stroke),
        "stroke-width": mark.width,
        opacity: mark.opacity,
      });
    }
    case "circle": {
      const { cx, cy, r } = mark;
      const stroke = mark.stroke && color(mark.stroke);
      return element("circle", {
        cx,
        cy,
        r,
        fill: color(mark.fill),
        stroke,
        "stroke-width": stroke && 1.5,
        opacity: mark.opacity,
      });
    }
    case "path":
      return element("path", {
        d: mark.d,
        fill: mark.fill ? color(mark.fill) : "none",
        stroke: mark.stroke && color(mark.stroke),
        "stroke-width": mark.width,
        "stroke-dasharray": mark.dash?.join(" "),
        "stroke-linejoin": "round",
        opacity: mark.opacity,
      });
    case "text": {
      const { x, y } = mark;
      const weight = mark.bold ? 600 : undefined;
      return element(
        "text",
        { x, y, fill: color(mark.fill), "font-size": mark.size, "text-anchor": mark.anchor, "font-weight": weight },
        mark.text,
      );
    }
  }
}

export interface SvgKey {
  label: string;
  color: string;
  dash?: readonly number[];
}

/** The whole file: paper, title, legend, drawings below each other. The legend breaks its line by an estimate of the
 *  text's width. */
export function svgFile(
  title: string,
  keys: readonly SvgKey[],
  drawings: readonly Drawing[],
  color: Color,
  font: string,
): string {
  const PAD = 16;
  const width = Math.max(...drawings.map((drawing) => drawing.width)) + 2 * PAD;
  const head: Mark[] = [
    { kind: "text", x: PAD, y: 28, text: title, fill: "ink", size: 16, anchor: "start", bold: true },
  ];
  let [x, y] = [PAD, 52];
  for (const { label, color: stroke, dash } of keys) {
    const needs = 26 + label.length * 6.6 + 16;
    if (x > PAD && x + needs > width - PAD) [x, y] = [PAD, y + 18];
    head.push({ kind: "path", d: `M${x} ${y - 4}h20`, stroke, width: 2.5, dash });
    head.push({ kind: "text", x: x + 26, y, text: label, fill: "ink-2", size: 12, anchor: "start" });
    x += needs;
  }
  let top = keys.length ? y + 14 : 42;
  const draw = (marks: readonly Mark[]): string => marks.map((mark) => markToSvg(mark, color)).join("\n");
  const groups = drawings.map((drawing) => {
    const group = `<g transform="translate(${PAD} ${top})">\n${draw(drawing.marks)}\n</g>`;
    top += drawing.height + 12;
    return group;
  });
  const height = Math.round(top - 12 + PAD);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="${escapeXml(font)}">\n<rect width="100%" height="100%" fill="${escapeXml(color("card"))}"/>\n` +
    `${draw(head)}\n${groups.join("\n")}\n</svg>\n`
  );
}
