/** One panel of the overview: its plots below each other, with one summary, one reading, one table. */
import { useCallback, useMemo, useState } from "preact/hooks";
import { nearest } from "../cursor";
import { count } from "../format";
import { keysOf, type Panel, type Plot } from "../pages/run/panels";
import { canGuide, levelMap, sayMissing, within } from "../pictures/guidance";
import { drawHeat, heatLayout } from "../pictures/heatmap";
import { drawLines } from "../pictures/lines";
import { sayMarkers } from "../pictures/markers";
import { type Drawing, paint } from "../pictures/marks";
import { type PlotLines, sayPlot, valueAt } from "../pictures/panel";
import type { Table } from "../pictures/table";
import { cssVar, FONT, theme } from "../theme";
import { asSvg, sheet } from "./canvas";
import { Figure } from "./Figure";
import { HeatMap } from "./HeatMap";
import { Meanings } from "./Meanings";
import { PlotPart, type PlotView, pictureOf } from "./PlotPart";
import { Soon } from "./parts";
import { windowOf } from "./plot";
import { usePanel } from "./usePanel";
import { useVisible } from "./visible";

const [MAP_HEIGHT, HALF] = [210, 165];
const colorOf = (name: string): string => (name.startsWith("rgb") ? name : cssVar(name));

export function PanelFigure({ panel, view }: { panel: Panel; view: PlotView }) {
  const [box, visible] = useVisible<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const [cell, setCell] = useState("");
  const { data, zoom, span, cursor } = view;
  const { plots, markers, failed } = usePanel(panel, view, visible);
  const onReading = useCallback((text: string) => setCell(text), []);
  // It comes later than the rest of the run; its place is held meanwhile.
  const { missing } = data.guidance;
  const soon = missing && (panel.map || panel.plots.some(({ source }) => source === "levels"));
  const map = useMemo(() => {
    if (!panel.map || !visible || missing) return null;
    return levelMap(within(data.guidance.steps, zoom), data.guidance.perBucket, 75);
  }, [panel, visible, data.guidance, zoom]);

  const shown = plots.filter(({ lines }) => lines.x.length > 0);
  const none = panel.map && !missing && data.guidance.steps.length > 0 && !canGuide(data.guidance.steps);
  const empty = shown.length === 0 || none === true;
  const words = shown.map(({ plot, lines }) => readingOf(plot, lines, at)).filter(Boolean);
  const first = shown[0]?.lines.x;
  const events = at !== null && first ? sayMarkers(markers, first, nearest(first, at)) : "";
  const drawings = (): Drawing[] => [
    ...(map ? [drawHeat(heatLayout(map, 900, 260, zoom, view.axis), map, theme() === "dark", data.resumedAt)] : []),
    ...shown.map(({ plot, lines }) => {
      const picture = pictureOf(plot, lines, view, markers);
      return drawLines(picture, 900, 280, windowOf({ x: lines.x, span, zoom }));
    }),
  ];
  const legend = shown.flatMap(({ lines }) => lines.named.map((k) => lines.lines[k]!));
  const png = (): HTMLCanvasElement => {
    const parts = drawings();
    const height = parts.reduce((sum, part) => sum + part.height + 12, 0);
    return sheet(panel.title, legend, 900, height, (ctx) => {
      for (const part of parts) {
        paint(ctx, part.marks, FONT, colorOf);
        ctx.translate(0, part.height + 12);
      }
    });
  };

  return (
    <div ref={box} class="panel">
      <Figure
        title={panel.title}
        file={panel.file}
        summary={
          none ? "Every sample of this run starts from nothing: its method uses no expert prefixes." : summaryOf(shown)
        }
        reading={[...words, cell].filter(Boolean).join(" · ") + (words.length ? events : "")}
        empty={empty}
        about={<Meanings panel={panel} runId={data.detail.id} zoom={zoom} />}
        table={() => tableOf(shown)}
        png={png}
        svg={() => asSvg(panel.title, legend, drawings())}
      >
        {empty && <div class="nothing">{failed ?? whyEmpty(panel, view, none === true)}</div>}
        {!empty && soon && <Soon height={panel.map ? MAP_HEIGHT : HALF}>{sayMissing(missing)}</Soon>}
        {!empty && map && (
          <HeatMap
            data={map}
            height={MAP_HEIGHT}
            zoom={zoom}
            axis={view.axis}
            resumedAt={data.resumedAt}
            cursor={cursor}
            label="Guidance by prefix level"
            onReading={onReading}
          />
        )}
        {!empty &&
          shown.map(({ plot, lines }, i) => (
            <PlotPart
              key={plot.title}
              plot={plot}
              lines={lines}
              view={view}
              markers={markers}
              last={i === shown.length - 1}
              visible={visible}
              height={panel.map ? 130 : shown.length > 1 || soon ? HALF : 380}
              at={at === null ? null : nearest(lines.x, at)}
              onStep={setAt}
            />
          ))}
      </Figure>
    </div>
  );
}

export interface Shown {
  plot: Plot;
  lines: PlotLines;
}

function readingOf(plot: Plot, lines: PlotLines, at: number | null): string {
  if (at === null) return "";
  return sayPlot(lines, nearest(lines.x, at), plot.format);
}

function whyEmpty(panel: Panel, { data }: PlotView, none: boolean): string {
  if (none) return `${data.detail.method ?? "This method"} has no guided slots, so there is no distribution to draw.`;
  if (panel.plots[0]?.source === "scores")
    return data.detail.ended_at ? "This run was not evaluated." : "Scores appear after the first evaluation.";
  if (data.detail.step === 0) return "The lines start with the first step.";
  if (keysOf(panel).some((key) => !data.curves.raw.has(key))) return "It is read when it comes into view.";
  return `${data.detail.method ?? "This method"} does not report this.`;
}

/** The last values in words. */
function summaryOf(shown: readonly Shown[]): string {
  const parts = shown.flatMap(({ plot, lines }) =>
    lines.named.map((k) => `${lines.lines[k]!.label} ${plot.format(valueAt(lines.lines[k]!, null))}`),
  );
  const last = Math.max(0, ...shown.map(({ lines }) => lines.x.at(-1) ?? 0));
  return parts.length ? `Now: ${parts.join(", ")}, to step ${count(last)}.` : "Nothing to show yet.";
}

/** The plots of a panel side by side; a step that one of them does not have is empty there. */
function tableOf(shown: readonly Shown[]): Table {
  const x = [...new Set(shown.flatMap(({ lines }) => lines.x))].sort((a, b) => a - b);
  const columns = shown.flatMap(({ lines }) => {
    const place = new Map(lines.x.map((step, i) => [step, i]));
    const of = (values: readonly (number | null | undefined)[]) =>
      x.map((step) => values[place.get(step) ?? -1] ?? null);
    return lines.lines.flatMap((line) => {
      const band = line.band ? [`${line.label}, low`, `${line.label}, high`] : [];
      const own = line.width === 0 ? [] : [{ name: line.label, cells: of(line.values) }];
      return [...own, ...band.map((name, i) => ({ name, cells: of(i ? line.band!.high : line.band!.low) }))];
    });
  });
  return {
    head: ["step", ...columns.map((c) => c.name)],
    rows: x.map((s, i) => [s, ...columns.map((c) => c.cells[i]!)]),
  };
}
