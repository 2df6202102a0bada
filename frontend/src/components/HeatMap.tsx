import { useEffect, useRef, useState } from "preact/hooks";
import { type Mover, nearest, type StepCursor, type Zoom } from "../cursor";
import { type Colouring, describeCell, type HeatData } from "../pictures/guidance";
import { cellAt, cellBox, heatLayout, paintHeat } from "../pictures/heatmap";
import type { Axis } from "../pictures/xaxis";
import { cssVar, FONT } from "../theme";
import { sharp, useTheme, useWidth } from "./canvas";

interface Props {
  data: HeatData;
  by?: Colouring;
  height: number;
  zoom: Zoom;
  axis?: Axis;
  resumedAt: readonly number[];
  cursor: StepCursor;
  label: string;
  onReading: (text: string) => void;
}

/** The canvas below holds the picture, the one above only the cursor: moving it never redraws the picture. */
export function HeatMap({ data, by = "share", height, zoom, axis, resumedAt, cursor, label, onReading }: Props) {
  const [box, width] = useWidth<HTMLDivElement>();
  const picture = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const [cell, setCell] = useState<[number, number] | null>(null);
  const shade = useTheme();
  const layout = heatLayout(data, width, height, zoom, axis);

  useEffect(() => {
    if (width === 0) return;
    paintHeat(sharp(picture.current!, width, height), layout, data, {
      dark: shade === "dark",
      font: FONT,
      color: cssVar,
      resumedAt,
      by,
    });
  }, [data, by, width, height, shade, zoom, axis, resumedAt]);

  useEffect(() => {
    if (width === 0) return;
    const ctx = sharp(overlay.current!, width, height);
    if (cell && data.columns[cell[1]] && data.rows[cell[0]])
      paintCursor(ctx, cellBox(layout, data, ...cell), layout.plot);
    onReading(cell ? describeCell(data, ...cell) : "");
  }, [cell, data, width, height, shade, zoom, axis]);

  // Another picture moved the step: show the column here, in the row we were in.
  const [mover] = useState<{ at: Mover }>({ at: () => {} });
  mover.at = (step) => {
    const c =
      step === null
        ? -1
        : nearest(
            data.columns.map((column) => column.to),
            step,
          );
    setCell(c < 0 ? null : [cell?.[0] ?? 0, c]);
  };
  const [follower] = useState<Mover>(() => (step: number | null) => mover.at(step));
  useEffect(() => cursor.follow(follower), []);

  const go = (next: [number, number] | null): void => {
    setCell(next);
    cursor.move(next ? (data.columns[next[1]]?.to ?? null) : null, follower);
  };
  const point = (event: PointerEvent): void => {
    const rect = overlay.current!.getBoundingClientRect();
    go(cellAt(layout, data, event.clientX - rect.left, event.clientY - rect.top));
  };
  const press = (event: KeyboardEvent): void => {
    const next = moved(event, cell, data);
    if (next === undefined) return;
    event.preventDefault();
    go(next);
  };

  return (
    <div
      ref={box}
      class="heat"
      role="application"
      aria-roledescription="heat map"
      aria-label={`${label}. Arrow keys move through steps and rows.`}
      tabIndex={0}
      onKeyDown={press}
      style={{ height: `${height}px` }}
    >
      <canvas ref={picture} aria-hidden="true" />
      <canvas
        ref={overlay}
        aria-hidden="true"
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => go(null)}
      />
    </div>
  );
}

/** Where a key leads from a cell; undefined for keys that are not ours. */
function moved(
  event: KeyboardEvent,
  cell: [number, number] | null,
  data: HeatData,
): [number, number] | null | undefined {
  const last = data.columns.length - 1;
  if (last < 0 || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const [r, c] = cell ?? [0, last];
  const far = event.shiftKey ? 10 : 1;
  const keys: Record<string, [number, number]> = {
    ArrowLeft: [r, cell ? c - far : last],
    ArrowRight: [r, c + far],
    ArrowUp: [r + 1, c],
    ArrowDown: [r - 1, c],
    Home: [r, 0],
    End: [r, last],
  };
  if (event.key === "Escape") return null;
  const to = keys[event.key];
  if (!to) return undefined;
  return [Math.min(data.rows.length - 1, Math.max(0, to[0])), Math.min(last, Math.max(0, to[1]))];
}

function paintCursor(
  ctx: CanvasRenderingContext2D,
  cell: { left: number; top: number; width: number; height: number },
  plot: { top: number; height: number },
): void {
  const width = Math.max(3, cell.width);
  ctx.strokeStyle = cssVar("ink");
  ctx.globalAlpha = 0.35;
  ctx.lineWidth = 1;
  ctx.strokeRect(cell.left + 0.5, plot.top + 0.5, width - 1, plot.height - 1);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = cssVar("card");
  ctx.lineWidth = 4;
  ctx.strokeRect(cell.left, cell.top, width, cell.height);
  ctx.strokeStyle = cssVar("ink");
  ctx.lineWidth = 2;
  ctx.strokeRect(cell.left, cell.top, width, cell.height);
}
