import { css, LEGEND_SHARES, rampColor, shareToRamp } from "../pictures/ramp";
import { useTheme } from "./canvas";

/** What a colour means: share of the step's samples, on a square-root scale; nothing is the paper's colour. */
export function HeatLegend({ resumed }: { resumed: boolean }) {
  const dark = useTheme() === "dark";
  const stops = Array.from({ length: 12 }, (_, i) => css(rampColor(i / 11, dark)));
  return (
    <div class="heat-legend">
      <span class="muted">share of the step's samples</span>
      <span class="none">
        <i /> 0
      </span>
      <span class="ramp">
        <i style={{ background: `linear-gradient(to right, ${stops.join(",")})` }} />
        {LEGEND_SHARES.map((s) => (
          <span key={s} style={{ left: `${shareToRamp(s) * 100}%` }}>
            {Math.round(s * 100)}
            {s === 1 && " %"}
          </span>
        ))}
      </span>
      {resumed && <span class="muted resumed">dashed line: resumed from a checkpoint</span>}
    </div>
  );
}
