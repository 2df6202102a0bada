/** One series of all sides in one picture. */
import { useMemo, useRef, useState } from "preact/hooks";
import { asSvg, keysOf, sheet } from "../../components/canvas";
import { Figure } from "../../components/Figure";
import { Legend } from "../../components/Legend";
import { LineChart } from "../../components/LineChart";
import type { PlotChoice } from "../../components/PlotControls";
import { Unread } from "../../components/parts";
import { windowOf } from "../../components/plot";
import { useVisible } from "../../components/visible";
import { nearest, type StepCursor, type Zoom } from "../../cursor";
import type { Curves } from "../../curves";
import { compact, count } from "../../format";
import { MEANINGS } from "../../meanings";
import { PANELS } from "../../panels";
import { belowLog, drawLines, type LinePicture } from "../../pictures/lines";
import { paint } from "../../pictures/marks";
import { type Band, overlay, sayOverlay } from "../../pictures/overlay";
import { type PlotLines, topOf, valueAt } from "../../pictures/panel";
import type { Side } from "../../pictures/sides";
import type { Table } from "../../pictures/table";
import type { Axis } from "../../pictures/xaxis";
import { showCurves } from "../../store/opened";
import { cssVar, FONT } from "../../theme";
import { useAllCurves } from "../../useCurves";

/** What all pictures of the page share. */
export interface OverlayView {
  sides: readonly Side[];
  all: readonly Curves[];
  axes: ReadonlyMap<string, Axis>;
  axis: Axis;
  plots: PlotChoice;
  band: Band;
  span: [number, number];
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
}

const NONE: PlotLines = { x: [], lines: [], broken: [], named: [] };

export function OverlayFigure({ series, view, onRemove }: { series: string; view: OverlayView; onRemove: () => void }) {
  const { sides, all, axes, axis, plots, band, span, zoom, onZoom, cursor } = view;
  const [box, visible] = useVisible<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const keys = useMemo(() => [series], [series]);
  const sets = useAllCurves(all, keys, plots.smooth, axis.kind === "step" ? zoom : null, visible);
  const held = useRef(NONE);
  const lines = useMemo(() => {
    if (!visible) return held.current;
    const drawn = new Map(
      all.flatMap(({ id }, i) => {
        const own = axes.get(id);
        return own ? [[id, { curves: sets[i]!, axis: own }]] : [];
      }),
    );
    return overlay(sides, drawn, series, band);
  }, [visible, sides, sets, axes, series, band]);
  held.current = lines;

  const { title, format, top } = useMemo(() => looksOf(series), [series]);
  const picture: LinePicture = {
    ...lines,
    axis,
    format,
    log: plots.log && top === undefined,
    yMax: topOf(top, lines.lines),
  };
  const read = all.every((curves) => curves.raw.has(series));
  const failed = all.map((curves) => curves.errorOf(keys)).find(Boolean);
  const again = (): void => {
    for (const curves of all) void showCurves(curves, keys, plots.smooth);
  };
  const empty = lines.x.length === 0;
  const i = at === null ? null : nearest(lines.x, at);
  const items = lines.lines.map((line) => ({ ...line, value: format(valueAt(line, i)) }));
  const below = picture.log ? belowLog(lines.lines) : 0;
  const notes = [
    lines.broken.length > 0 && "red tick: not a number",
    below > 0 && `${count(below)} values at or below 0 are not on a log scale`,
  ].filter(Boolean);
  const drawing = () => drawLines(picture, 1000, 360, windowOf({ x: lines.x, span, zoom }));
  return (
    <div ref={box} class="panel">
      <Figure
        title={title}
        file={`compare-${series.replaceAll(/[^\w.-]+/g, "-")}`}
        summary={summaryOf(lines, format, axis)}
        reading={i === null || empty ? "" : sayOverlay(lines, i, axis, format)}
        empty={empty}
        about={
          <p>
            <code>{series}</code> {MEANINGS[series] ?? "A series that these runs report."}
          </p>
        }
        tools={
          <button type="button" class="quiet" onClick={onRemove} aria-label={`Remove the picture of ${title}`}>
            remove
          </button>
        }
        table={() => tableOf(lines, axis)}
        png={() => sheet(title, keysOf(lines.lines), 1000, 360, (ctx) => paint(ctx, drawing().marks, FONT, cssVar))}
        svg={() => asSvg(title, keysOf(lines.lines), [drawing()])}
      >
        {failed && <Unread error={failed} again={again} />}
        {empty && !failed && (
          <div class={read ? "nothing none" : "nothing"}>
            {read ? whyEmpty(sides, axis) : "It is read when it comes into view."}
            {read && (
              <button type="button" class="quiet" onClick={onRemove}>
                remove
              </button>
            )}
          </div>
        )}
        {!empty && <Legend items={items} note={notes.join(" · ") || undefined} />}
        {!empty && visible && (
          <LineChart
            {...picture}
            height={300}
            span={span}
            zoom={zoom}
            onZoom={onZoom}
            cursor={cursor}
            label={title}
            onIndex={(k) => setAt(k === null ? null : (lines.x[k] ?? null))}
          />
        )}
        {!empty && !visible && <div class="unseen" />}
      </Figure>
    </div>
  );
}

const whyEmpty = (sides: readonly Side[], axis: Axis): string =>
  sides.length === 0
    ? "All runs are hidden."
    : `None of these runs reports this${axis.kind === "step" ? "" : `, or not its ${axis.label}`}.`;

/** As the overview shows the same series. */
function looksOf(series: string): { title: string; format: (v: number | null | undefined) => string; top?: 1 } {
  for (const panel of PANELS)
    for (const { title, curves, format, top } of panel.plots) {
      const curve = curves.find((one) => one.key === series);
      if (curve) return { title: curves.length > 1 ? curve.label : title || panel.title, format, top };
    }
  return { title: series, format: compact };
}

function summaryOf({ lines, x }: PlotLines, format: (v: number | undefined) => string, axis: Axis): string {
  const ends = lines.flatMap((line) => {
    const value = valueAt(line, null);
    return value === undefined ? [] : [{ label: line.label, value }];
  });
  if (ends.length === 0) return "Nothing to show yet.";
  ends.sort((a, b) => b.value - a.value);
  const [high, low] = [ends[0]!, ends.at(-1)!];
  const said = `${high.label} ends highest at ${format(high.value)}`;
  const rest = ends.length > 1 ? `, ${low.label} lowest at ${format(low.value)}` : "";
  return `${said}${rest}; to ${axis.label} ${axis.format(x.at(-1)!)}.`;
}

function tableOf({ x, lines }: PlotLines, axis: Axis): Table {
  const columns = lines.flatMap(({ label, values, band }) => [
    { name: label, values },
    ...(band
      ? [
          { name: `${label}, low`, values: band.low },
          { name: `${label}, high`, values: band.high },
        ]
      : []),
  ]);
  return {
    head: [axis.kind === "step" ? "step" : axis.label, ...columns.map((column) => column.name)],
    rows: x.map((step, i) => [step, ...columns.map((column) => column.values[i] ?? null)]),
  };
}
