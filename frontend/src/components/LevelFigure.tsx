import { useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { count, percent } from "../format";
import { sayMissing } from "../pictures/guidance";
import { drawLines } from "../pictures/lines";
import { restarts } from "../pictures/markers";
import { styleOf } from "../pictures/panel";
import { align, rewardByLevel, windowFor } from "../pictures/rewards";
import type { Table } from "../pictures/table";
import { asSvg, keysOf, linePng } from "./canvas";
import { Figure } from "./Figure";
import { Legend } from "./Legend";
import { LineChart } from "./LineChart";
import { Defined } from "./Meanings";
import type { PlotView } from "./PlotPart";
import { Soon } from "./parts";
import { type Line, windowOf } from "./plot";

const [HEIGHT, LEGENDS] = [270, 112]; // the names and shares of five levels take some lines

/** Picture b, right: success rate by how much of the expert trace was given. */
export function LevelFigure({ data, zoom, onZoom, cursor }: Pick<PlotView, "data" | "zoom" | "onZoom" | "cursor">) {
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const { steps, perBucket, missing } = data.guidance;
  const window = Math.max(1, Math.round(windowFor(steps.length * perBucket) / perBucket));
  const { x, lines } = useMemo(() => {
    const { steps: x, curves } = rewardByLevel(steps, window);
    const { ys } = align(curves.flatMap((c) => [c.values, c.low, c.high].map((values) => ({ steps: x, values }))));
    const lines: Line[] = curves.map((c, i) => ({
      label: c.label,
      values: ys[3 * i]!,
      band: { low: ys[3 * i + 1]!, high: ys[3 * i + 2]! },
      ...styleOf(i),
    }));
    return { x, lines };
  }, [steps, window]);

  const markers = useMemo(() => restarts(data.resumedAt), [data.resumedAt]);
  const i = at ?? x.length - 1;
  const items = lines.map((l) => ({
    label: l.label,
    color: l.color,
    dash: l.dash,
    value: percent(l.values[i] ?? undefined),
    interval: `${percent(l.band!.low[i] ?? undefined, 0)} to ${percent(l.band!.high[i] ?? undefined, 0)}`,
  }));
  const step = x[i];
  const reading =
    at === null || step === undefined
      ? ""
      : `Step ${count(step)}: ${items.map((k) => `${k.label} ${k.value} (${k.interval})`).join(", ")}`;
  const empty = missing !== undefined || x.length === 0;
  const table = (): Table => ({
    head: ["step", ...lines.flatMap((l) => [l.label, `${l.label}, low`, `${l.label}, high`])],
    rows: x.map((s, k) => [
      s,
      ...lines.flatMap((l) => [l.values, l.band!.low, l.band!.high].map((values) => values[k] ?? null)),
    ]),
  });
  const summary = empty
    ? `Success rate by prefix level.${missing ? "" : " No step has been trained yet."}`
    : `Success rate by prefix level, last values, to step ${count(x.at(-1)!)}: ${lines.map((l) => `${l.label} ${percent(l.values.at(-1) ?? undefined, 0)}`).join(", ")}.`;

  return (
    <Figure
      empty={empty}
      title="Reward by level"
      file="reward-by-level"
      summary={summary}
      reading={reading}
      about={<Defined names={["Reward by level"]} />}
      table={table}
      png={() => linePng(plot.current, "Reward by prefix level", keysOf(items))}
      svg={() => {
        const picture = { x, lines, format: (v: number) => percent(v, 0), yMax: 1, markers };
        return asSvg("Reward by prefix level", keysOf(items), [drawLines(picture, 900, 320, windowOf({ x, zoom }))]);
      }}
    >
      {!empty && (
        <Legend
          items={items}
          note={`all samples of the last ${window * perBucket} steps; band: 95 % interval (Wilson)`}
        />
      )}
      {missing ? (
        <Soon height={HEIGHT + LEGENDS}>{sayMissing(missing)}</Soon>
      ) : empty ? (
        <div class="nothing">The lines start with the first step.</div>
      ) : (
        <LineChart
          x={x}
          lines={lines}
          height={HEIGHT}
          format={(v) => percent(v, 0)}
          yMax={1}
          zoom={zoom}
          onZoom={onZoom}
          cursor={cursor}
          label="Success rate by prefix level over training steps"
          markers={markers}
          onIndex={setAt}
          plotRef={plot}
        />
      )}
    </Figure>
  );
}
