/** The steps of a guidance map: those that are held, or, zoomed into a run whose steps are added up, a finer reading. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { getGuidance } from "../api/readings";
import type { Zoom } from "../cursor";
import type { RunData } from "../live";
import { within } from "../pictures/guidance";
import type { GuidanceStep } from "../types";
import { useRested } from "./slow";

interface Held {
  steps: readonly GuidanceStep[];
  perBucket: number;
}

export function useGuidanceWindow(data: RunData, zoom: Zoom): Held {
  const { steps, perBucket } = data.guidance;
  const [finer, setFiner] = useState<{ zoom: [number, number]; cuts: number; held: Held } | null>(null);
  const rested = useRested(zoom);
  const { cuts } = data.curves;
  const asks = rested !== null && perBucket > 1;
  useEffect(() => {
    if (!asks) return;
    let current = true;
    const window = { from_step: Math.max(0, Math.floor(rested[0])), to_step: Math.ceil(rested[1]) };
    getGuidance(data.detail.id, window).then(
      (read) =>
        current && setFiner({ zoom: rested, cuts, held: { steps: read.data, perBucket: read.steps_per_bucket } }),
      () => {}, // the coarse map stays; the chip says that we are offline
    );
    return () => {
      current = false;
    };
  }, [data.detail.id, asks, rested?.[0], rested?.[1], cuts]);
  // What another attempt has replaced is not shown, nor a part of the window.
  const covers = zoom && finer && finer.zoom[0] <= zoom[0] && finer.zoom[1] >= zoom[1];
  const held = perBucket > 1 && covers && finer.cuts === cuts ? finer.held : null;
  return useMemo(() => held ?? { steps: within(steps, zoom), perBucket }, [held, steps, perBucket, zoom]);
}
