import { useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { StepCursor, Zoom } from "../cursor";
import type { Curves } from "../curves";
import { count, percent } from "../format";
import type { RunData } from "../live";
import { drawLines } from "../pictures/lines";
import { restarts } from "../pictures/markers";
import { align, EMPTY, notFinite } from "../pictures/rewards";
import { showCurves } from "../store/opened";
import { useCurves } from "../useCurves";
import { asSvg, keysOf, linePng } from "./canvas";
import { Figure } from "./Figure";
import { LEGEND, Legend } from "./Legend";
import { LineChart } from "./LineChart";
import { Soon, Unread } from "./parts";
import { windowOf } from "./plot";
import { useSlow } from "./slow";
import { useVisible } from "./visible";

interface Props {
  data: RunData;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
}

function Empty({ raw }: Pick<Curves, "raw">) {
  if (!raw.has(MEAN)) return <Soon height={HEIGHT + LEGEND}>Reading the curves…</Soon>;
  return <div class="nothing">The lines start with the first expert token.</div>;
}

const [INSIDE, MEAN] = ["expert/inside_trust_region", "expert/p_mean"];
const KEYS = [INSIDE, MEAN];
const TITLE = "Expert tokens over time";
const HEIGHT = 240;

/** Does the model come to find the expert plausible: share below alpha and mean probability, step by step. */
export function ExpertFigure({ data, zoom, onZoom, cursor }: Props) {
  const { curves } = data;
  const [box, visible] = useVisible<HTMLElement>();
  // Smoothed as the overview asked for, though not shown here: with another window its curves would be read again.
  const held = useCurves(curves, KEYS, curves.window, zoom, visible);
  const version = useSlow(curves.version, visible ? 0 : 5000); // they grow in place
  const [at, setAt] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const { x, lines, broken } = useMemo(() => {
    const inside = held?.raw.get(INSIDE) ?? EMPTY;
    const mean = held?.raw.get(MEAN) ?? EMPTY;
    const { x, ys } = align([{ ...inside, values: inside.values.map((v) => 1 - v) }, mean]);
    const lines = [
      { label: "share below α", values: ys[0]!, color: "run-b", width: 2.5 },
      { label: "mean p", values: ys[1]!, color: "run-a", width: 2, dash: [6, 3] },
    ];
    return { x, lines, broken: notFinite(inside) };
  }, [held, version]);
  const markers = useMemo(() => restarts(data.resumedAt), [data.resumedAt]);
  const i = at ?? x.length - 1;
  const sayAt = (place: number): string =>
    lines.map(({ label, values }) => `${label} ${percent(values[place] ?? undefined)}`).join(", ");
  const items = lines.map((line) => ({ ...line, value: percent(line.values[i] ?? undefined) }));
  const empty = x.length === 0;
  const error = curves.errorOf(KEYS);
  const format = (v: number): string => percent(v, 0);
  return (
    <Figure
      box={box}
      title={TITLE}
      file="expert-tokens"
      summary={
        empty
          ? "How plausible the model finds the expert."
          : `Last values, to step ${count(x.at(-1)!)}: ${sayAt(x.length - 1)}.`
      }
      reading={at === null || empty ? "" : `Step ${count(x[i]!)}: ${sayAt(i)}`}
      empty={empty}
      table={() => ({
        head: ["step", ...lines.map((l) => l.label)],
        rows: x.map((s, k) => [s, ...lines.map((l) => l.values[k] ?? null)]),
      })}
      png={() => linePng(plot.current, TITLE, keysOf(items))}
      svg={() =>
        asSvg(TITLE, keysOf(items), [
          drawLines({ x, lines, format, yMax: 1, markers }, 900, 300, windowOf({ x, zoom })),
        ])
      }
      about={
        <p>
          Share below α: expert tokens whose probability is under the trust region's α, and which pull only in part.
          Mean p: the mean probability of all expert tokens. Both under the model before the step.
        </p>
      }
    >
      {error && <Unread error={error} again={() => void showCurves(curves, KEYS, curves.window)} />}
      {empty ? (
        !error && <Empty raw={curves.raw} />
      ) : (
        <>
          <Legend items={items} />
          <LineChart
            {...{ x, lines, format, zoom, onZoom, cursor, markers, broken }}
            height={HEIGHT}
            yMax={1}
            label="Expert tokens below alpha and their mean probability over training steps"
            onIndex={setAt}
            plotRef={plot}
          />
        </>
      )}
    </Figure>
  );
}
