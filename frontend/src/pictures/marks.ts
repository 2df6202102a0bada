/** A drawing as data: the same marks become SVG on the page and canvas in the PNG. Colours are names of CSS variables,
 *  or `rgb(…)` where a ramp gives them. */

export type Mark =
  | { kind: "rect"; x: number; y: number; w: number; h: number; fill: string; opacity?: number; r?: number }
  | { kind: "line"; x1: number; y1: number; x2: number; y2: number; stroke: string; width: number; opacity?: number }
  | { kind: "circle"; cx: number; cy: number; r: number; fill: string; stroke?: string; opacity?: number }
  | PathMark
  | { kind: "text"; x: number; y: number; text: string; fill: string; size: number; anchor: Anchor; bold?: boolean };

export interface PathMark {
  kind: "path";
  /** As in SVG. */
  d: string;
  stroke?: string;
  fill?: string;
  width?: number;
  dash?: readonly number[];
  opacity?: number;
}

export type Anchor = "start" | "middle" | "end";

export interface Drawing {
  width: number;
  height: number;
  marks: Mark[];
}

/** Draws marks on a canvas; `color` looks a CSS variable up. */
export function paint(
  ctx: CanvasRenderingContext2D,
  marks: readonly Mark[],
  font: string,
  color: (name: string) => string,
): void {
  for (const mark of marks) {
    ctx.globalAlpha = "opacity" in mark ? (mark.opacity ?? 1) : 1;
    if (mark.kind === "rect") {
      ctx.fillStyle = color(mark.fill);
      ctx.beginPath();
      ctx.roundRect(mark.x, mark.y, mark.w, mark.h, mark.r ?? 0);
      ctx.fill();
    } else if (mark.kind === "line") {
      ctx.strokeStyle = color(mark.stroke);
      ctx.lineWidth = mark.width;
      ctx.beginPath();
      ctx.moveTo(mark.x1, mark.y1);
      ctx.lineTo(mark.x2, mark.y2);
      ctx.stroke();
    } else if (mark.kind === "circle") {
      ctx.beginPath();
      ctx.arc(mark.cx, mark.cy, mark.r, 0, 2 * Math.PI);
      ctx.fillStyle = color(mark.fill);
      ctx.fill();
      if (mark.stroke) {
        ctx.strokeStyle = color(mark.stroke);
        ctx.lineWidth = 1.5;
        ctx.stroke();
      }
    } else if (mark.kind === "path") {
      const path = new Path2D(mark.d);
      if (mark.fill) {
        ctx.fillStyle = color(mark.fill);
        ctx.fill(path);
      }
      if (mark.stroke) {
        ctx.strokeStyle = color(mark.stroke);
        ctx.lineWidth = mark.width ?? 1;
        ctx.setLineDash([...(mark.dash ?? [])]);
        ctx.stroke(path);
        ctx.setLineDash([]);
      }
    } else {
      ctx.fillStyle = color(mark.fill);
      ctx.font = `${mark.bold ? "600 " : ""}${mark.size}px ${font}`;
      ctx.textAlign = mark.anchor === "middle" ? "center" : mark.anchor;
      ctx.textBaseline = "alphabetic";
      ctx.fillText(mark.text, mark.x, mark.y);
    }
  }
  ctx.globalAlpha = 1;
}
