import { isStroke, kindsOf, MARKERS, type Marker, shapeOf } from "../pictures/markers";

/** The shapes on the x axis by name; nothing where nothing happened. */
export function MarkerLegend({ markers }: { markers: readonly Marker[] }) {
  const kinds = kindsOf(markers);
  if (kinds.length === 0) return null;
  return (
    <ul class="legend markers" aria-label="Marks on the axis">
      {kinds.map((kind) => {
        const color = `var(--${MARKERS[kind].color})`;
        return (
          <li key={kind}>
            <svg width="12" height="12" aria-hidden="true">
              <path
                d={shapeOf(kind, kind === "restart" ? 3 : 6, 6)}
                fill={isStroke(kind) ? "none" : color}
                stroke={isStroke(kind) ? color : "none"}
                stroke-width="1.8"
              />
            </svg>
            {MARKERS[kind].name}
          </li>
        );
      })}
    </ul>
  );
}
