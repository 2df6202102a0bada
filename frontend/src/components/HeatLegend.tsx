import type { Colouring } from "../pictures/guidance";
import { css, LEGEND_RATES, LEGEND_SHARES, rampColor, rateToRamp, shareToRamp } from "../pictures/ramp";
import { useTheme } from "./canvas";

/** What a colour means: share of the step's samples, on a square-root scale, or success rate; no sample is the paper's
 *  colour. */
export function HeatLegend({ resumed, by = "share" }: { resumed: boolean; by?: Colouring }) {
  const dark = useTheme() === "dark";
  const rates = by === "success";
  const start = rates ? rateToRamp(0) : 0;
  const stops = Array.from({ length: 12 }, (_, i) => css(rampColor(start + ((1 - start) * i) / 11, dark)));
  const place = (s: number): number => (rates ? s : shareToRamp(s));
  return (
    <div class="heat-legend">
      <span class="muted">{rates ? "success rate of the cell's samples" : "share of the step's samples"}</span>
      <span class="none">
        <i /> {rates ? "no sample" : 0}
      </span>
      <span class="ramp">
        <i style={{ background: `linear-gradient(to right, ${stops.join(",")})` }} />
        {(rates ? LEGEND_RATES : LEGEND_SHARES).map((s) => (
          <span key={s} style={{ left: `${place(s) * 100}%` }}>
            {Math.round(s * 100)}
            {s === 1 && " %"}
          </span>
        ))}
      </span>
      {resumed && <span class="muted resumed">dashed line: resumed from a checkpoint</span>}
    </div>
  );
}
