/** The curves, a picture for each series; the first is the one that matters most and has the width of the page. */
import { useMemo, useRef, useState } from "preact/hooks";
import { listSeries } from "../../api/readings";
import type { PlotChoice } from "../../components/PlotControls";
import type { StepCursor, Zoom } from "../../cursor";
import type { Curves } from "../../curves";
import type { Side } from "../../pictures/sides";
import { AXIS_KEYS, type Axis, cumulated, plainAxis, STEPS } from "../../pictures/xaxis";
import { useStore } from "../../store/state";
import { useAllCurves } from "../../useCurves";
import { OverlayFigure, type OverlayView } from "./OverlayFigure";
import { type CompareChoice, setKeys } from "./view";

interface Props {
  sides: readonly Side[];
  choice: CompareChoice;
  plots: PlotChoice;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
}

const NO_KEYS: string[] = [];

export function Overlays({ sides, choice, plots, ...shared }: Props) {
  const { compared } = useStore();
  const held = sides.flatMap(({ runs }) =>
    runs.flatMap(({ id }) => {
      const one = compared.get(id);
      return one?.state === "ready" ? [one.value] : [];
    }),
  );
  const all = useSame(held.map(({ curves }) => curves));
  const axes = useAxes(all, plots);
  const last = Math.max(1, ...held.map(({ detail, curves }) => (axes.get(curves.id) ?? STEPS).at(detail.step)));
  const span = useMemo((): [number, number] => [0, last], [last]);
  const axis = useMemo(() => plainAxis(plots.axis), [plots.axis]);
  const view: OverlayView = { sides, all, axes, axis, plots, band: choice.band, span, ...shared };
  return (
    <>
      <div class="panels overlays">
        {choice.keys.map((key) => (
          <OverlayFigure
            key={key}
            series={key}
            view={view}
            onRemove={() => setKeys(choice.keys.filter((one) => one !== key))}
          />
        ))}
      </div>
      <AddSeries keys={choice.keys} ids={sides.map((side) => side.runs[0]!.id)} />
    </>
  );
}

/** The same list as long as it holds the same things. */
function useSame<T>(list: readonly T[]): readonly T[] {
  const before = useRef(list);
  if (list.length !== before.current.length || list.some((one, i) => one !== before.current[i])) before.current = list;
  return before.current;
}

/** Where the steps of each run stand. A run that does not report its axis is left out of the picture. */
function useAxes(all: readonly Curves[], { axis, smooth }: PlotChoice): ReadonlyMap<string, Axis> {
  const key = axis === "step" ? null : AXIS_KEYS[axis];
  const keys = useMemo(() => (key ? [key] : NO_KEYS), [key]);
  const sets = useAllCurves(all, keys, smooth, null, true);
  return useMemo(() => {
    if (axis === "step" || !key) return new Map(all.map((curves) => [curves.id, STEPS]));
    const found = all.flatMap((curves, i): [string, Axis][] => {
      const column = sets[i]?.raw.get(key);
      return column?.steps.length ? [[curves.id, cumulated(axis, column)]] : [];
    });
    return new Map(found);
  }, [all, sets, axis]);
}

/** The catalogue is read when somebody looks into it. */
function AddSeries({ keys, ids }: { keys: readonly string[]; ids: readonly string[] }) {
  const [known, setKnown] = useState<string[]>([]);
  const read = async (): Promise<void> => {
    if (known.length) return;
    const lists = await Promise.all(ids.slice(0, 6).map(listSeries)).catch(() => []);
    setKnown([...new Set(lists.flatMap((list) => list.data.map((one) => one.key)))].sort());
  };
  const choose = (key: string): boolean => {
    if (!known.includes(key)) return false;
    if (!keys.includes(key)) setKeys([...keys, key]);
    return true;
  };
  return (
    <label class="add-series">
      Another curve{" "}
      <input
        type="search"
        list="series-keys"
        placeholder="such as policy/grad_norm"
        onFocus={() => void read()}
        onChange={(e) => {
          if (choose(e.currentTarget.value.trim())) e.currentTarget.value = "";
        }}
      />
      <datalist id="series-keys">
        {known
          .filter((key) => !keys.includes(key))
          .map((key) => (
            <option key={key} value={key} />
          ))}
      </datalist>
    </label>
  );
}
