/** The guidance map and the line below it on one sheet, for the PNG. */
import type uPlot from "uplot";
import type { Zoom } from "../cursor";
import type { Colouring, HeatData } from "../pictures/guidance";
import { heatLayout, MARGIN, paintHeat, paintLegend } from "../pictures/heatmap";
import { cssVar, FONT, theme } from "../theme";
import { sheet } from "./canvas";

const MEANING: Record<Colouring, string> = {
  share: "share of the step's samples, 0 to 100 % (square-root scale); empty: none",
  success: "success rate of the cell's samples, 0 to 100 %; empty: no sample",
};

export function guidanceSheet(
  map: HeatData,
  by: Colouring,
  height: number,
  zoom: Zoom,
  resumedAt: readonly number[],
  plot: uPlot | null,
): HTMLCanvasElement {
  const dark = theme() === "dark";
  // As wide as the line chart on the page, so that its steps stand below those of the map.
  const width = plot?.width ?? 1000;
  const below = plot ? 26 + plot.height : 0;
  return sheet(`Guidance: samples by ${map.rowTitle}`, [], width, height + 34 + below, (ctx) => {
    paintHeat(ctx, heatLayout(map, width, height, zoom), map, { dark, font: FONT, color: cssVar, resumedAt, by });
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    paintLegend(ctx, MARGIN.left, height + 6, 200, 10, dark);
    ctx.fillStyle = cssVar("ink-2");
    ctx.fillText(MEANING[by], MARGIN.left + 212, height + 5);
    if (!plot) return;
    ctx.fillText("guided share of samples", MARGIN.left, height + 40);
    ctx.drawImage(plot.ctx.canvas, 0, height + 56, width, below - 26);
  });
}
