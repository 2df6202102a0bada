import { useState } from "preact/hooks";
import type { Mark } from "../pictures/marks";
import { describeLine, drawScores, type ScoreRow } from "../pictures/scores";
import { useWidth } from "./canvas";

interface Props {
  rows: ScoreRow[];
  label: string;
  onReading: (text: string) => void;
}

const fill = (name: string): string => (name.startsWith("rgb") ? name : `var(--${name})`);

/** Scores as bars with whiskers. SVG, so that it is sharp anywhere and the marks are the ones the PNG paints. */
export function ScoreBars({ rows, label, onReading }: Props) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const picture = drawScores(rows, Math.max(280, width), at);

  const go = (i: number | null): void => {
    setAt(i);
    const row = i === null ? undefined : rows[i];
    onReading(row ? row.lines.map((line) => describeLine(row, line, row.lines.length > 1)).join(" · ") : "");
  };
  const press = (event: KeyboardEvent): void => {
    const last = rows.length - 1;
    const to: Record<string, number | null> = {
      ArrowDown: at === null ? 0 : Math.min(last, at + 1),
      ArrowUp: at === null ? last : Math.max(0, at - 1),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (!(event.key in to)) return;
    event.preventDefault();
    go(to[event.key]!);
  };
  const point = (event: PointerEvent): void => {
    const y = event.clientY - box.current!.getBoundingClientRect().top;
    const i = picture.rowTops.findLastIndex((top) => top <= y);
    if (i !== at) go(i < 0 ? null : i);
  };

  return (
    <div
      ref={box}
      class="scores"
      role="application"
      aria-roledescription="bar chart"
      aria-label={`${label}. Arrow up and down move through the scores.`}
      tabIndex={0}
      onKeyDown={press}
      onPointerMove={point}
      onPointerLeave={() => go(null)}
    >
      {width > 0 && (
        <svg
          width={picture.width}
          height={picture.height}
          viewBox={`0 0 ${picture.width} ${picture.height}`}
          aria-hidden="true"
        >
          {picture.marks.map((mark, i) => (
            <Shape key={i} mark={mark} />
          ))}
        </svg>
      )}
    </div>
  );
}

export function Shape({ mark }: { mark: Mark }) {
  switch (mark.kind) {
    case "rect":
      return (
        <rect
          x={mark.x}
          y={mark.y}
          width={Math.max(0, mark.w)}
          height={mark.h}
          rx={mark.r}
          fill={fill(mark.fill)}
          fill-opacity={mark.opacity ?? 1}
        />
      );
    case "line":
      return (
        <line
          x1={mark.x1}
          x2={mark.x2}
          y1={mark.y1}
          y2={mark.y2}
          stroke={fill(mark.stroke)}
          stroke-width={mark.width}
          opacity={mark.opacity ?? 1}
        />
      );
    case "circle":
      return (
        <circle
          cx={mark.cx}
          cy={mark.cy}
          r={mark.r}
          fill={fill(mark.fill)}
          stroke={mark.stroke ? fill(mark.stroke) : "none"}
          stroke-width="1.5"
          opacity={mark.opacity ?? 1}
        />
      );
    case "path":
      return (
        <path
          d={mark.d}
          fill={mark.fill ? fill(mark.fill) : "none"}
          stroke={mark.stroke ? fill(mark.stroke) : "none"}
          stroke-width={mark.width}
          stroke-dasharray={mark.dash?.join(" ")}
          opacity={mark.opacity ?? 1}
        />
      );
    case "text":
      return (
        <text
          x={mark.x}
          y={mark.y}
          fill={fill(mark.fill)}
          font-size={mark.size}
          text-anchor={mark.anchor}
          font-weight={mark.bold ? 600 : 400}
        >
          {mark.text}
        </text>
      );
  }
}
