export const LEGEND = 26; // its height where it has one line

export interface LegendItem {
  label: string;
  color: string;
  dash?: number[];
  faint?: boolean;
  thin?: boolean;
  value?: string;
}

/** How a line looks, small. */
export const Stroke = ({ color, dash, faint, thin }: Pick<LegendItem, "color" | "dash" | "faint" | "thin">) => (
  <svg class="stroke" width="22" height="8" aria-hidden="true">
    <line
      x1="1"
      x2="21"
      y1="4"
      y2="4"
      stroke={`var(--${color})`}
      stroke-width={thin ? 1 : 2.5}
      stroke-dasharray={dash?.join(" ")}
      opacity={faint ? 0.5 : 1}
    />
  </svg>
);

/** Names, strokes and the numbers under the cursor (or the latest ones). */
export function Legend({ items, note }: { items: LegendItem[]; note?: string }) {
  return (
    <ul class="legend">
      {items.map((item) => (
        <li key={item.label}>
          <Stroke {...item} />
          {item.label}
          {item.value !== undefined && <b>{item.value}</b>}
        </li>
      ))}
      {note && <li class="muted">{note}</li>}
    </ul>
  );
}
