/** One panel of the overview: its plots below each other, with one summary, one reading, one table. */
import { useCallback, useMemo, useState } from "preact/hooks";
import { nearest } from "../cursor";
import { count } from "../format";
import type { Panel, Plot } from "../panels";
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
import { HeatLegend } from "./HeatLegend";
import { HeatMap } from "./HeatMap";
import { LEGEND } from "./Legend";
import { Meanings } from "./Meanings";
import { PlotPart, type PlotView, pictureOf } from "./PlotPart";
import { Soon, Unread } from "./parts";
import { windowOf } from "./plot";
import { usePanel } from "./usePanel";
import { useVisible } from "./visible";

const [MAP_HEIGHT, MAP_WORDS, HALF, TITLE] = [210, 66, 165, 26];
const colorOf = (name: string): string => (name.startsWith("rgb") ? name : cssVar(name));

export function PanelFigure({ panel, view }: { panel: Panel; view: PlotView }) {
  const [box, visible] = useVisible<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const [cell, setCell] = useState("");
  const { data, zoom, span, cursor } = view;
  const { plots, markers, failed, again } = usePanel(panel, view, visible);
  const onReading = useCallback((text: string) => setCell(text), []);
  const { missing } = data.guidance;
  const map = useMemo(() => {
    if (!panel.map || !visible || missing) return null;
    return levelMap(within(data.guidance.steps, zoom), data.guidance.perBucket, 75);
  }, [panel, visible, data.guidance, zoom]);

  // What comes later has its place kept: a plot that moved would slip from under the pointer.
  const places = plots
    .map((of) => ({ ...of, soon: of.lines.x.length ? null : sayWaiting(of.plot, view, failed !== null) }))
    .filter(({ lines, soon }) => lines.x.length > 0 || soon);
  const shown = places.filter(({ soon }) => !soon);
  const none = panel.map && !missing && data.guidance.steps.length > 0 && !canGuide(data.guidance.steps);
  const empty = places.length === 0 || none === true;
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
        empty={empty || shown.length === 0}
        about={<Meanings panel={panel} runId={data.detail.id} zoom={zoom} />}
        table={() => tableOf(shown)}
        png={png}
        svg={() => asSvg(panel.title, legend, drawings())}
      >
        {failed && <Unread error={failed} again={again} />}
        {empty && !failed && <div class="nothing">{whyEmpty(panel, view, none === true)}</div>}
        {!empty && panel.map && missing && <Soon height={MAP_HEIGHT + MAP_WORDS}>{sayMissing(missing)}</Soon>}
        {!empty && map && <p class="axis-title">prefix level: share of the expert trace given</p>}
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
        {!empty && map && <HeatLegend resumed={data.resumedAt.length > 0} />}
        {!empty &&
          places.map(({ plot, lines, soon }, i) => {
            const height = panel.map ? 130 : places.length > 1 ? HALF : 380;
            if (soon) {
              const names = LEGEND + (plot.title ? TITLE : 0);
              return (
                <Soon key={plot.title} height={height + names}>
                  {soon}
                </Soon>
              );
            }
            return (
              <PlotPart
                key={plot.title}
                plot={plot}
                lines={lines}
                view={view}
                markers={markers}
                last={i === places.length - 1}
                visible={visible}
                height={height}
                at={at === null ? null : nearest(lines.x, at)}
                onStep={setAt}
              />
            );
          })}
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

/** What a plot without lines waits for; null where none will come. */
function sayWaiting({ source, curves }: Plot, { data }: PlotView, failed: boolean): string | null {
  const { missing } = data.guidance;
  if (data.detail.step === 0) return null;
  if (source === "levels") return missing ? sayMissing(missing) : null;
  const unread = curves.some(({ key }) => !data.curves.raw.has(key));
  return unread && !failed ? "Reading the curves…" : null;
}

function whyEmpty(panel: Panel, { data }: PlotView, none: boolean): string {
  if (none) return `${data.detail.method ?? "This method"} has no guided slots, so there is no distribution to draw.`;
  if (panel.plots[0]?.source === "scores")
    return data.detail.ended_at ? "This run was not evaluated." : "Scores appear after the first evaluation.";
  if (data.detail.step === 0) return "The lines start with the first step.";
  return `${data.detail.method ?? "This method"} does not report this.`;
}

/** The last values in words. */
function summaryOf(shown: readonly Shown[]): string {
  const parts = shown.flatMap(({ plot, lines }) =>
    lines.named.map((k) => `${lines.lines[k]!.label} ${plot.format(valueAt(lines.lines[k]!, null))}`),
  );
  const last = Math.max(0, ...shown.map(({ lines }) => lines.x.at(-1) ?? 0));
  return parts.length ? `Last values, to step ${count(last)}: ${parts.join(", ")}.` : "Nothing to show yet.";
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
