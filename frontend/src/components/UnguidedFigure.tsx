import { useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { StepCursor, Zoom } from "../cursor";
import { count, decimal, runName } from "../format";
import type { RunData } from "../live";
import { drawLines } from "../pictures/lines";
import { restarts } from "../pictures/markers";
import { align, EMPTY, notFinite, trailingMean, windowFor } from "../pictures/rewards";
import type { Table } from "../pictures/table";
import { asSvg, keysOf, linePng } from "./canvas";
import { Figure } from "./Figure";
import { Legend } from "./Legend";
import { LineChart } from "./LineChart";
import { type Line, windowOf } from "./plot";

export interface RewardProps {
  data: RunData;
  other: RunData | null;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
}

const nameOf = (data: RunData): string => data.detail.method ?? runName(data.detail);

/** Two runs side by side are told apart by method, or by name where the method is the same. */
export function pairNames(a: RunData, b: RunData | null): [string, string] {
  if (!b) return [nameOf(a), ""];
  if (nameOf(a) !== nameOf(b)) return [nameOf(a), nameOf(b)];
  const [x, y] = [runName(a.detail), runName(b.detail)];
  return x === y ? [a.detail.id.slice(-6), b.detail.id.slice(-6)] : [x, y];
}

/** Picture b, left: what the model gets right alone. */
export function UnguidedFigure({ data, other, zoom, onZoom, cursor }: RewardProps) {
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const mine = data.columns.get("reward/unguided") ?? EMPTY;
  const theirs = other?.columns.get("reward/unguided") ?? null;
  const window = windowFor(mine.steps.length);
  const [a, b] = pairNames(data, other);
  // Columns grow in place, so their length is what tells that they changed.
  const { x, lines, values } = useMemo(() => {
    const columns = [mine, { ...mine, values: trailingMean(mine.values, window) }];
    if (theirs) columns.push(theirs, { ...theirs, values: trailingMean(theirs.values, window) });
    const { x, ys } = align(columns);
    const lines: Line[] = ys.map((values, i) => ({
      label: `${i < 2 ? a : b}${i % 2 ? "" : " each step"}`,
      values,
      color: i < 2 ? "run-a" : "run-b",
      width: i % 2 ? 2.5 : 1,
      faint: i % 2 === 0,
      dash: i === 3 ? [8, 4] : undefined,
    }));
    return { x, lines, values: ys };
  }, [mine, mine.steps.length, theirs, theirs?.steps.length, window, a, b]);

  const i = at ?? x.length - 1;
  const step = x[i];
  // Without a cursor each run shows its own last value: they need not be equally far.
  const value = (k: number): string =>
    decimal((at === null ? values[k]?.findLast((v) => v != null) : values[k]?.[at]) ?? undefined);
  const items = [
    { label: other ? a : "unguided reward", color: "run-a", value: value(1) },
    { label: other ? `${a}, each step` : "each step", color: "run-a", faint: true, thin: true, value: value(0) },
  ];
  if (other)
    items.push(
      { label: b, color: "run-b", value: value(3) },
      { label: `${b}, each step`, color: "run-b", faint: true, thin: true, value: value(2) },
    );
  const markers = useMemo(() => restarts(data.resumedAt), [data.resumedAt]);
  const broken = useMemo(() => notFinite(mine), [mine, mine.steps.length]);
  const reading =
    at === null || step === undefined
      ? ""
      : `Step ${count(step)}: ${items.map((k) => `${k.label} ${k.value}`).join(", ")}${broken.includes(step) ? " (not a number in this step)" : ""}`;
  const table = (): Table => ({
    head: ["step", ...lines.map((l) => (l.faint ? l.label : `${l.label}, smoothed`))],
    rows: x.map((s, k) => [s, ...lines.map((l) => l.values[k] ?? null)]),
  });

  return (
    <Figure
      empty={x.length === 0}
      title="Unguided reward"
      file="reward-unguided"
      summary={summaryOf(x, values, other ? [a, b] : null)}
      reading={reading}
      table={table}
      png={() => linePng(plot.current, "Unguided reward", keysOf(items))}
      svg={() => {
        const picture = { x, lines, format: (v: number) => decimal(v, 1), yMax: topOf(values), broken, markers };
        return asSvg("Unguided reward", keysOf(items), [drawLines(picture, 900, 320, windowOf({ x, zoom }))]);
      }}
      tools={
        zoom && (
          <button type="button" class="quiet" onClick={() => onZoom(null)}>
            all steps
          </button>
        )
      }
    >
      <Legend
        items={items}
        note={`thick: mean of the last ${window} steps${broken.length ? " · red tick: not a number" : ""}`}
      />
      {x.length === 0 ? (
        <div class="nothing">The line starts with the first step.</div>
      ) : (
        <LineChart
          x={x}
          lines={lines}
          height={270}
          format={(v) => decimal(v, 1)}
          yMax={topOf(values)}
          zoom={zoom}
          onZoom={onZoom}
          cursor={cursor}
          label="Unguided reward over training steps"
          broken={broken}
          markers={markers}
          onIndex={setAt}
          plotRef={plot}
        />
      )}
    </Figure>
  );
}

/** Rewards are mostly shares; a scale that ends at 1 lets two runs be compared by eye. */
const topOf = (ys: (number | null | undefined)[][]): number | null =>
  ys.some((y) => y.some((v) => v != null && (v > 1 || v < 0))) ? null : 1;

function summaryOf(x: number[], ys: (number | null | undefined)[][], names: [string, string] | null): string {
  if (x.length === 0) return "No step has been trained yet.";
  const last = (k: number): string => decimal(ys[k]?.findLast((v) => v != null) ?? undefined);
  if (names)
    return `Mean reward of samples without a prefix: ${names[0]} ${last(1)}, ${names[1]} ${last(3)} at the end of each.`;
  return `Mean reward of samples without a prefix, first slot: ${last(1)} over the last steps, to step ${count(x.at(-1)!)}.`;
}
