export interface LegendItem {
  label: string;
  color: string;
  dash?: number[];
  faint?: boolean;
  thin?: boolean;
  value?: string;
}

/** Names, strokes and the numbers under the cursor (or the latest ones). */
export function Legend({ items, note }: { items: LegendItem[]; note?: string }) {
  return (
    <ul class="legend">
      {items.map((item) => (
        <li key={item.label}>
          <svg width="22" height="8" aria-hidden="true">
            <line
              x1="1"
              x2="21"
              y1="4"
              y2="4"
              stroke={`var(--${item.color})`}
              stroke-width={item.thin ? 1 : 2.5}
              stroke-dasharray={item.dash?.join(" ")}
              opacity={item.faint ? 0.5 : 1}
            />
          </svg>
          {item.label}
          {item.value !== undefined && <b>{item.value}</b>}
        </li>
      ))}
      {note && <li class="muted">{note}</li>}
    </ul>
  );
}
