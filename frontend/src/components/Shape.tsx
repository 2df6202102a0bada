/** One mark of a picture as SVG. */
import type { Mark } from "../pictures/marks";

const fill = (name: string): string => (name.startsWith("rgb") ? name : `var(--${name})`);

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
