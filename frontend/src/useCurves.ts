/** The curves of a picture: read when it is in view, and finer where one zooms into a long run. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { querySeries } from "./api/readings";
import type { Zoom } from "./cursor";
import type { Curves } from "./curves";
import { isCoarse, splice } from "./pictures/columns";
import type { CurveSet } from "./pictures/panel";
import { showCurves } from "./store";
import type { Column } from "./types";

const REST_MS = 250; // a zoom that is still being chosen asks nothing

interface Finer extends CurveSet {
  /** What it was asked for: another window, curve or smoothing is not answered by it. */
  asked: string;
  window: [number, number];
}

export function useCurves(
  curves: Curves | null,
  keys: readonly string[],
  smooth: number,
  zoom: Zoom,
  visible: boolean,
): CurveSet | null {
  const names = keys.join(" ");
  useEffect(() => {
    if (visible && curves && keys.length) void showCurves(curves, keys, smooth);
  }, [curves, names, smooth, visible]);
  const finer = useFiner(curves, keys, smooth, zoom, visible);
  const version = curves?.version;
  return useMemo(() => {
    if (!curves || !finer) return curves;
    const joined = (whole: ReadonlyMap<string, Column>, part: ReadonlyMap<string, Column>): Map<string, Column> =>
      new Map(
        [...whole].map(([key, column]) => {
          const inside = part.get(key);
          return [key, inside ? splice(column, inside, finer.window) : column];
        }),
      );
    return { raw: joined(curves.raw, finer.raw), smoothed: joined(curves.smoothed, finer.smoothed) };
  }, [curves, finer, version]);
}

function useFiner(
  curves: Curves | null,
  keys: readonly string[],
  smooth: number,
  zoom: Zoom,
  visible: boolean,
): Finer | null {
  const [finer, set] = useState<Finer | null>(null);
  const coarse = zoom !== null && keys.some((key) => isCoarse(curves?.raw.get(key) ?? NOTHING, zoom));
  const asked = curves && zoom && coarse ? [curves.id, keys.join(" "), smooth, ...zoom].join("|") : "";
  useEffect(() => {
    if (!curves || !zoom || !asked || !visible || finer?.asked === asked) return;
    let current = true;
    const window: [number, number] = [Math.max(0, Math.floor(zoom[0])), Math.ceil(zoom[1])];
    const timer = setTimeout(() => {
      const part = { from_step: window[0], to_step: window[1] };
      Promise.all([
        querySeries(curves.id, [...keys], part),
        smooth > 1 ? querySeries(curves.id, [...keys], { ...part, smooth }) : new Map<string, Column>(),
      ]).then(
        ([raw, smoothed]) => current && set({ asked, window, raw, smoothed }),
        () => {}, // the coarser picture stays; the connection chip says that we are offline
      );
    }, REST_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [asked, visible]);
  // The finer part of before stays inside of the picture until the new is there, unless it is of other curves.
  const same = finer && asked && finer.asked.split("|").slice(0, 3).join() === asked.split("|").slice(0, 3).join();
  return same ? finer : null;
}

const NOTHING: Column = { steps: [], values: [] };
