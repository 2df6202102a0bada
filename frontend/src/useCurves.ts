/** The curves of a picture: read when it is in view, and finer where one zooms into a long run. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { querySeries } from "./api/readings";
import { REST_MS, type Zoom } from "./cursor";
import type { Curves } from "./curves";
import { isCoarse, splice } from "./pictures/columns";
import type { CurveSet } from "./pictures/panel";
import { showCurves } from "./store/opened";
import { store } from "./store/state";
import type { Column } from "./types";

interface Finer {
  /** The curves and their smoothing; with the window, what was asked for. */
  what: string;
  asked: string;
  window: [number, number];
  /** Of each run. */
  parts: CurveSet[];
}

export function useCurves(
  curves: Curves | null,
  keys: readonly string[],
  smooth: number,
  zoom: Zoom,
  visible: boolean,
): CurveSet | null {
  const all = useMemo(() => (curves ? [curves] : []), [curves]);
  return useAllCurves(all, keys, smooth, zoom, visible)[0] ?? null;
}

/** The same of several runs, read together. */
export function useAllCurves(
  all: readonly Curves[],
  keys: readonly string[],
  smooth: number,
  zoom: Zoom,
  visible: boolean,
): readonly CurveSet[] {
  const names = keys.join(" ");
  const live = store.connection === "live";
  useEffect(() => {
    if (visible && keys.length) for (const curves of all) void showCurves(curves, keys, smooth);
  }, [all, names, smooth, visible]);
  // What could not be read while the service was away is asked for when it is back: once, not at each refusal.
  useEffect(() => {
    if (visible && live) for (const curves of all) if (curves.errorOf(keys)) void showCurves(curves, keys, smooth);
  }, [live]);
  const finer = useFiner(all, keys, smooth, zoom, visible);
  const version = all.map((curves) => curves.version).join();
  return useMemo(() => all.map((curves, i) => (finer ? joined(curves, finer, i) : curves)), [all, finer, version]);
}

function joined(curves: Curves, { window, parts }: Finer, i: number): CurveSet {
  const part = parts[i]!;
  const join = (whole: ReadonlyMap<string, Column>, inside: ReadonlyMap<string, Column>): Map<string, Column> =>
    new Map(
      [...whole].map(([key, column]) => {
        const fine = inside.get(key);
        return [key, fine ? splice(column, fine, window) : column];
      }),
    );
  return { raw: join(curves.raw, part.raw), smoothed: join(curves.smoothed, part.smoothed) };
}

function useFiner(
  all: readonly Curves[],
  keys: readonly string[],
  smooth: number,
  zoom: Zoom,
  visible: boolean,
): Finer | null {
  const [finer, set] = useState<Finer | null>(null);
  const what = [all.map(({ id, cuts }) => `${id} ${cuts}`).join(), keys.join(" "), smooth].join("|");
  const coarse =
    zoom !== null && all.some((curves) => keys.some((key) => isCoarse(curves.raw.get(key) ?? NOTHING, zoom)));
  const asked = zoom && coarse ? [what, ...zoom].join("|") : "";
  useEffect(() => {
    if (!zoom || !asked || !visible || finer?.asked === asked) return;
    let current = true;
    const window: [number, number] = [Math.max(0, Math.floor(zoom[0])), Math.ceil(zoom[1])];
    const part = { from_step: window[0], to_step: window[1] };
    const read = async (curves: Curves): Promise<CurveSet> => {
      const [raw, smoothed] = await Promise.all([
        querySeries(curves.id, [...keys], { ...curves.how, ...part }),
        smooth > 1 ? querySeries(curves.id, [...keys], { ...curves.how, ...part, smooth }) : new Map<string, Column>(),
      ]);
      return { raw, smoothed };
    };
    const timer = setTimeout(() => {
      Promise.all(all.map(read)).then(
        (parts) => current && set({ what, asked, window, parts }),
        () => {}, // the coarser picture stays; the connection chip says that we are offline
      );
    }, REST_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [asked, visible]);
  // The finer part of before stays inside of the picture until the new is there, unless it is of other curves.
  return asked && finer?.what === what ? finer : null;
}

const NOTHING: Column = { steps: [], values: [] };
