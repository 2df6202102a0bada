import { useMemo, useRef } from "preact/hooks";
import { keysOf, type Panel, type Plot } from "../panels";
import { rises } from "../pictures/columns";
import type { Marker } from "../pictures/markers";
import { restarts } from "../pictures/markers";
import { levelLines, type PlotLines, scoreLines, seriesLines } from "../pictures/panel";
import { showCurves } from "../store/opened";
import { useCurves } from "../useCurves";
import type { PlotView } from "./PlotPart";

/** The lines of a panel's plots and the marks on its axis. Off the screen nothing is made: what was stays. */
export function usePanel(panel: Panel, view: PlotView, visible: boolean) {
  const { data, choice, zoom } = view;
  const keys = useMemo(() => keysOf(panel), [panel]);
  const mine = useCurves(data.curves, keys, choice.smooth, zoom, visible);
  const held = useRef<{ plot: Plot; lines: PlotLines }[]>([]);
  const made = useMemo(() => {
    if (!visible && held.current.length) return held.current;
    return panel.plots.map((plot) => {
      const { steps, perBucket } = data.guidance;
      if (plot.source === "levels") return { plot, lines: levelLines(steps, perBucket, choice.smooth) };
      if (plot.source === "scores") return { plot, lines: scoreLines(data.scores) };
      return { plot, lines: seriesLines(plot, mine!) };
    });
  }, [
    ...[panel, visible, data.guidance, data.scores],
    // Curves grow in place; their version tells that they did.
    ...[mine, data.curves.version, choice.smooth],
  ]);
  held.current = made;

  const skipped = panel.marks ? mine?.raw.get(panel.marks) : undefined;
  const markers = useMemo((): Marker[] => {
    const of = (kind: Marker["kind"], steps: readonly number[]): Marker[] => steps.map((step) => ({ step, kind }));
    return [
      ...restarts(data.resumedAt),
      ...of(
        "checkpoint",
        data.checkpoints.map((c) => c.step),
      ),
      ...of("evaluation", [...new Set(data.scores.map((s) => s.step))]),
      ...of("skipped", skipped ? rises(skipped) : []),
    ];
  }, [data.resumedAt, data.checkpoints, data.scores, skipped, skipped?.steps.length]);
  const again = (): void => void showCurves(data.curves, keys, choice.smooth);
  return { plots: made, markers, failed: data.curves.errorOf(keys), again };
}
