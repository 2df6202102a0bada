/** What all canvas pictures need: sharp pixels, width that follows the page, and a sheet for the PNG. */

import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { Drawing } from "../pictures/marks";
import { type SvgKey, svgFile } from "../pictures/svg";
import { cssVar, FONT, onTheme, theme } from "../theme";

export function useWidth<T extends HTMLElement>(): [preact.RefObject<T | null>, number] {
  const ref = useRef<T | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

/** Draws again when the theme changes. */
export function useTheme(): "light" | "dark" {
  const [now, set] = useState(theme());
  useEffect(() => onTheme(() => set(theme())), []);
  return now;
}

export function sharp(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = Math.max(1, window.devicePixelRatio);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const ctx = canvas.getContext("2d")!;
  ctx.scale(ratio, ratio);
  return ctx;
}

/** A sheet with title and legend, on which a picture is drawn for export: twice the size, for print. */
export function sheet(
  title: string,
  keys: readonly SvgKey[],
  width: number,
  height: number,
  draw: (ctx: CanvasRenderingContext2D) => void,
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const top = keys.length ? 62 : 42;
  canvas.width = (width + 32) * 2;
  canvas.height = (height + top + 16) * 2;
  const ctx = canvas.getContext("2d")!;
  ctx.scale(2, 2);
  ctx.fillStyle = cssVar("card");
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.fillStyle = cssVar("ink");
  ctx.font = `600 16px ${FONT}`;
  ctx.fillText(title, 16, 28);
  ctx.font = `12px ${FONT}`;
  let x = 16;
  for (const key of keys) {
    ctx.fillStyle = cssVar(key.color);
    ctx.fillRect(x, 44, 14, 4);
    ctx.fillStyle = cssVar("ink-2");
    ctx.fillText(key.label, x + 20, 50);
    x += 20 + ctx.measureText(key.label).width + 18;
  }
  ctx.translate(16, top);
  draw(ctx);
  return canvas;
}

/** Drawings as a file in the colours of the theme. */
export const asSvg = (title: string, keys: readonly SvgKey[], drawings: readonly Drawing[]): string =>
  svgFile(title, keys, drawings, (name) => (name.startsWith("rgb") ? name : cssVar(name)), FONT);

export const keysOf = (items: readonly SvgKey[]): SvgKey[] =>
  items.map(({ label, color, dash }) => ({ label, color, dash }));

export function linePng(u: uPlot | null, title: string, keys: readonly SvgKey[]): HTMLCanvasElement | null {
  if (!u) return null;
  const width = Math.max(640, u.width);
  const height = (u.height * width) / u.width;
  return sheet(title, keys, width, height, (ctx) => ctx.drawImage(u.ctx.canvas, 0, 0, width, height));
}
