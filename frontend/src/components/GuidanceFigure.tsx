import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { StepCursor, Zoom } from "../cursor";
import { percent } from "../format";
import type { RunData } from "../live";
import {
  canGuide,
  columnName,
  guidedShare,
  type HeatData,
  lengthMap,
  levelMap,
  share,
  success,
  summarize,
  within,
} from "../pictures/guidance";
import { drawHeat, heatLayout, MARGIN, paintHeat, paintLegend } from "../pictures/heatmap";
import { drawLines } from "../pictures/lines";
import { restarts } from "../pictures/markers";
import { align, trailingMean, windowFor } from "../pictures/rewards";
import type { Table } from "../pictures/table";
import { setQuery } from "../router";
import { cssVar, FONT, theme } from "../theme";
import { asSvg, keysOf, sheet } from "./canvas";
import { Figure } from "./Figure";
import { HeatLegend } from "./HeatLegend";
import { HeatMap } from "./HeatMap";
import { Legend } from "./Legend";
import { LineChart } from "./LineChart";
import { windowOf } from "./plot";

export type View = "level" | "length";

interface Props {
  data: RunData;
  view: View;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
}

/** Picture a: how much expert guidance the problems still need. */
export function GuidanceFigure({ data, view, zoom, onZoom, cursor }: Props) {
  const { steps, perBucket } = data.guidance;
  const [reading, setReading] = useState("");
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const onReading = useCallback((text: string) => setReading(text), []);
  const map = useMemo(() => {
    const shown = within(steps, zoom);
    return view === "level" ? levelMap(shown, perBucket) : lengthMap(shown, perBucket);
  }, [steps, perBucket, view, zoom]);
  const line = useMemo(() => {
    const column = guidedShare(steps);
    const window = windowFor(column.steps.length);
    const { x, ys } = align([column, { ...column, values: trailingMean(column.values, window) }]);
    const raw = { label: "each step", values: ys[0]!, color: "run-a", width: 1, faint: true };
    return { x, window, lines: [raw, { label: "guided share", values: ys[1]!, color: "run-a", width: 2.5 }] };
  }, [steps]);

  const markers = useMemo(() => restarts(data.resumedAt), [data.resumedAt]);
  const height = view === "level" ? map.rows.length * 46 + 50 : 330;
  const [first, last] = [map.columns[0], map.columns.at(-1)];
  const span: [number, number] = [(first?.from ?? 0) + 0.5, (last?.to ?? 1) + 0.5];
  const frame = { title: "Guidance", file: `guidance-by-${view}`, table: () => tableOf(map) };
  const value = (k: number): string => percent(line.lines[k]!.values[at ?? line.x.length - 1] ?? undefined);
  const wide = first ? first.to - first.from : 1;
  const thinned = wide > 1 ? ` Each column adds up ${wide} steps${zoom ? "" : "; zoom in for fewer"}.` : "";

  if (steps.length === 0 || !canGuide(steps)) {
    return (
      <Figure
        {...frame}
        png={() => null}
        summary={
          steps.length
            ? "Every sample of this run starts from nothing: its method uses no expert prefixes."
            : summarize(steps)
        }
        empty
      >
        <div class="nothing">
          {steps.length
            ? `${data.detail.method ?? "This method"} has no guided slots, so there is no distribution to draw.`
            : "The map grows here from the first step on."}
        </div>
      </Figure>
    );
  }
  return (
    <Figure
      {...frame}
      summary={summarize(steps) + thinned}
      reading={reading}
      readingFirst
      png={() => pngOf(map, height, zoom, data.resumedAt, plot.current)}
      svg={() => {
        const below = { ...line, format: (v: number) => percent(v, 0), markers };
        return asSvg(`Guidance: samples by ${map.rowTitle}`, keysOf(line.lines), [
          drawHeat(heatLayout(map, 900, height, zoom), map, theme() === "dark", data.resumedAt),
          drawLines(below, 900, 180, windowOf({ x: line.x, span, zoom })),
        ]);
      }}
      tools={
        <>
          {zoom && (
            <button type="button" class="quiet" onClick={() => onZoom(null)}>
              all steps
            </button>
          )}
          <ViewToggle view={view} />
        </>
      }
    >
      <p class="axis-title">
        {view === "level"
          ? "prefix level: share of the expert trace given"
          : "prefix length: tokens of the expert trace given"}
      </p>
      <HeatMap
        key={view}
        data={map}
        height={height}
        zoom={zoom}
        resumedAt={data.resumedAt}
        cursor={cursor}
        label={`Guidance by ${map.rowTitle}`}
        onReading={onReading}
      />
      <HeatLegend resumed={data.resumedAt.length > 0} />
      <Legend
        items={[
          { label: "guided share of samples", color: "run-a", value: value(1) },
          { label: "each step", color: "run-a", faint: true, thin: true, value: value(0) },
        ]}
        note={`thick: mean of the last ${line.window * perBucket} steps`}
      />
      <LineChart
        x={line.x}
        lines={line.lines}
        height={150}
        format={(v) => percent(v, 0)}
        span={span}
        zoom={zoom}
        onZoom={onZoom}
        cursor={cursor}
        label="Share of samples that started from an expert prefix"
        markers={markers}
        onIndex={setAt}
        plotRef={plot}
      />
    </Figure>
  );
}

function ViewToggle({ view }: { view: View }) {
  const choose = (to: View) => () => setQuery("view", to === "level" ? null : to);
  return (
    <span class="segments" role="group" aria-label="Rows of the map">
      <button type="button" aria-pressed={view === "level"} onClick={choose("level")}>
        by level
      </button>
      <button type="button" aria-pressed={view === "length"} onClick={choose("length")}>
        by length
      </button>
    </span>
  );
}

function tableOf(map: HeatData): Table {
  const known = map.rows.some((row) => row.reward !== null);
  const head = ["steps", map.rowTitle, "share", "samples", "of", ...(known ? ["success rate"] : [])];
  const rows = map.columns.flatMap((column, c) =>
    map.rows.map((row, r) => {
      const cells = [columnName(column), row.label, share(map, r, c), row.samples[c] ?? 0, column.total];
      return known ? [...cells, success(map, r, c)] : cells;
    }),
  );
  return { head, rows };
}

function pngOf(
  map: HeatData,
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
    paintHeat(ctx, heatLayout(map, width, height, zoom), map, { dark, font: FONT, color: cssVar, resumedAt });
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    paintLegend(ctx, MARGIN.left, height + 6, 200, 10, dark);
    ctx.fillStyle = cssVar("ink-2");
    ctx.fillText(
      "share of the step's samples, 0 to 100 % (square-root scale); empty: none",
      MARGIN.left + 212,
      height + 5,
    );
    if (!plot) return;
    ctx.fillText("guided share of samples", MARGIN.left, height + 40);
    ctx.drawImage(plot.ctx.canvas, 0, height + 56, width, below - 26);
  });
}
