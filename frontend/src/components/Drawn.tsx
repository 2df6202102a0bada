import type { Mark } from "../pictures/marks";
import { Shape } from "./Shape";

/** Marks as SVG; what they say is told beside them, so that the shapes themselves are silent. */
export function Drawn({ marks, width, height }: { marks: readonly Mark[]; width: number; height: number }) {
  return (
    <svg class="drawn" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {marks.map((mark, i) => (
        <Shape key={i} mark={mark} />
      ))}
    </svg>
  );
}
