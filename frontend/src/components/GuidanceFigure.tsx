import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { StepCursor, Zoom } from "../cursor";
import { percent } from "../format";
import type { RunData } from "../live";
import { OF_GUIDANCE } from "../meanings";
import {
  type Colouring,
  canGuide,
  guidedShare,
  heatTable,
  insteadOfPrefixes,
  lengthMap,
  levelMap,
  sayMissing,
  summarize,
} from "../pictures/guidance";
import { drawHeat, heatLayout } from "../pictures/heatmap";
import { drawLines } from "../pictures/lines";
import { restarts } from "../pictures/markers";
import { align, trailingMean, windowFor } from "../pictures/rewards";
import { theme } from "../theme";
import { asSvg, keysOf } from "./canvas";
import { Figure } from "./Figure";
import { guidanceSheet } from "./guidanceSheet";
import { useGuidanceWindow } from "./guidanceWindow";
import { HeatLegend } from "./HeatLegend";
import { HeatMap } from "./HeatMap";
import { Legend } from "./Legend";
import { LineChart } from "./LineChart";
import { Defined } from "./Meanings";
import { Soon } from "./parts";
import { windowOf } from "./plot";
import { Segments } from "./Segments";

export type View = "level" | "length";
const VIEWS = [
  ["level", "by level"],
  ["length", "by length"],
] as const;
const COLOURINGS = [
  ["share", "share"],
  ["success", "success"],
] as const;

/** What the URL says of the map. */
export const mapOf = (query: URLSearchParams): { view: View; by: Colouring } => ({
  view: query.get("view") === "length" ? "length" : "level",
  by: query.get("colour") === "success" ? "success" : "share",
});

interface Props {
  data: RunData;
  view: View;
  by?: Colouring;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
}

/** Picture a: how much expert guidance the problems still need. */
export function GuidanceFigure({ data, view, by = "share", zoom, onZoom, cursor }: Props) {
  const { steps, perBucket, missing } = data.guidance;
  const [reading, setReading] = useState("");
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const onReading = useCallback((text: string) => setReading(text), []);
  const shown = useGuidanceWindow(data, zoom);
  const map = useMemo(() => (view === "level" ? levelMap : lengthMap)(shown.steps, shown.perBucket), [shown, view]);
  const line = useMemo(() => {
    const column = guidedShare(steps);
    const window = windowFor(column.steps.length);
    const { x, ys } = align([column, { ...column, values: trailingMean(column.values, window) }]);
    const raw = {
      label: perBucket > 1 ? `each ${perBucket} steps` : "each step",
      values: ys[0]!,
      color: "run-a",
      width: 1,
      faint: true,
    };
    return { x, window, lines: [raw, { label: "guided share", values: ys[1]!, color: "run-a", width: 2.5 }] };
  }, [steps, perBucket]);

  const markers = useMemo(() => restarts(data.resumedAt), [data.resumedAt]);
  const height = view === "level" ? map.rows.length * 46 + 50 : 330;
  const [first, last] = [map.columns[0], map.columns.at(-1)];
  const span: [number, number] = [(first?.from ?? 0) + 0.5, (last?.to ?? 1) + 0.5];
  const about = <Defined names={OF_GUIDANCE} />;
  const frame = { title: "Guidance", file: `guidance-by-${view}`, table: () => heatTable(map), about };
  const value = (k: number): string => percent(line.lines[k]!.values[at ?? line.x.length - 1] ?? undefined);
  const wide = first ? first.to - first.from : 1;
  const thinned = wide > 1 ? ` Each column adds up ${wide} steps${zoom ? "" : "; zoom in for fewer"}.` : "";

  if (missing)
    return (
      <Figure {...frame} png={() => null} summary="How much expert guidance the problems still need." empty>
        <Soon height={560}>{sayMissing(missing)}</Soon>
      </Figure>
    );
  if (steps.length === 0 || !canGuide(steps)) {
    return (
      <Figure
        {...frame}
        png={() => null}
        summary={steps.length ? "The method of this run uses no expert prefixes." : summarize(steps)}
        empty
      >
        <div class="nothing">
          {steps.length ? insteadOfPrefixes(data.detail.method) : "The map grows here from the first step on."}
        </div>
      </Figure>
    );
  }
  return (
    <Figure
      {...frame}
      summary={summarize(steps, perBucket) + thinned}
      reading={reading}
      readingFirst
      png={() => guidanceSheet(map, by, height, zoom, data.resumedAt, plot.current)}
      svg={() => {
        const below = { ...line, format: (v: number) => percent(v, 0), markers };
        return asSvg(`Guidance: samples by ${map.rowTitle}`, keysOf(line.lines), [
          drawHeat(heatLayout(map, 900, height, zoom), map, theme() === "dark", data.resumedAt, by),
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
          <Segments label="Rows of the map" word="view" value={view} options={VIEWS} />
          <Segments label="Colour of the map" word="colour" value={by} options={COLOURINGS} />
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
        by={by}
        height={height}
        zoom={zoom}
        resumedAt={data.resumedAt}
        cursor={cursor}
        label={`Guidance by ${map.rowTitle}`}
        onReading={onReading}
      />
      <HeatLegend by={by} resumed={data.resumedAt.length > 0} />
      <Legend
        items={[
          { label: "guided share of samples", color: "run-a", value: value(1) },
          { label: line.lines[0]!.label, color: "run-a", faint: true, thin: true, value: value(0) },
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
