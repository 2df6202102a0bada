import { count } from "../format";

/** How the problems are spread over the help they need: ten columns, from none to all of the trace. */
export function ShareBars({ shares }: { shares: readonly number[] }) {
  const top = Math.max(1, ...shares);
  const said = shares.map((n, i) => `${i * 10} to ${i * 10 + 10} %: ${count(n)}`).join(", ");
  return (
    <div class="share-bars">
      <span class="muted">problems by help needed</span>
      <svg viewBox="0 0 300 46" width="300" height="46" role="img" aria-label={`Problems by help needed. ${said}`}>
        {shares.map((n, i) => {
          const h = n ? Math.max(2, (n / top) * 28) : 0;
          return (
            <g key={i}>
              <rect x={i * 30} y={45} width={27} height={1} fill="var(--line)" />
              <rect x={i * 30} y={45 - h} width={27} height={h} rx={2} fill="var(--run-a)" />
              {n > 0 && (
                <text x={i * 30 + 13.5} y={41 - h} font-size="11" text-anchor="middle" fill="var(--ink-2)">
                  {count(n)}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <span class="share-ends muted">
        <span>none</span>
        <span>all of the trace</span>
      </span>
    </div>
  );
}
