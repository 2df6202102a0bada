/** Runs side by side: what was asked differently, how they learned, what it brought. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { choiceOf, PlotControls } from "../components/PlotControls";
import { Segments } from "../components/Segments";
import { StepCursor } from "../cursor";
import type { Compared } from "../live";
import { BAND_NAMES } from "../pictures/overlay";
import { sidesOf } from "../pictures/sides";
import type { PageProps } from "../routes";
import { compareRuns, openCompared } from "../store/compared";
import { useStore } from "../store/state";
import { useZoom } from "../useZoom";
import { AddRun } from "./compare/AddRun";
import { DeltaTable } from "./compare/DeltaTable";
import { GuidanceMaps } from "./compare/GuidanceMaps";
import { Overlays } from "./compare/Overlays";
import { SidesLegend } from "./compare/SidesLegend";
import { SpecTable } from "./compare/SpecTable";
import { compareChoice } from "./compare/view";
import "./run/Overview.css";
import "./Compare.css";

export default function Compare({ query }: PageProps) {
  const { compared } = useStore();
  const choice = compareChoice(query);
  const { ids, hidden, apart, band } = choice;
  const [cursor] = useState(() => new StepCursor());
  useEffect(() => compareRuns(ids), [ids.join()]);
  useEffect(() => {
    document.title = "Compare · TRAPO";
    return () => compareRuns([]);
  }, []);

  const states = ids.map((id) => compared.get(id));
  const held = states.flatMap((one) => (one?.state === "ready" ? [one.value] : []));
  const failed = ids.flatMap((id, i) => {
    const one = states[i];
    return one?.state === "error" ? [{ id, error: one.error }] : [];
  });
  const reading = held.length + failed.length < ids.length;
  // A run that joins is read while those that are there stay.
  const shownBefore = useRef(false);
  if (!reading) shownBefore.current = true;
  const steps = Math.max(1, ...held.map(({ detail }) => detail.total_steps));
  const plots = choiceOf(query, steps);
  const [zoom, onZoom] = useZoom(query, plots.axis); // a window of steps is none of seconds
  const sides = useSides(held, ids, apart);
  const seeds = useMemo(() => apart || sides.some((side) => side.runs.length > 1), [sides, apart]);
  const shown = useMemo(
    () => sides.filter((side) => !side.runs.every((run) => hidden.includes(run.id))),
    [sides, hidden.join()],
  );
  return (
    <main id="main" class="compare-page" aria-busy={reading}>
      <p class="crumbs">
        <a href="/">Runs</a>
      </p>
      <div class="compare-head">
        <h1>{ids.length > 1 ? `Compare ${ids.length} runs` : "Compare"}</h1>
        <AddRun ids={ids} />
      </div>
      {failed.map(({ id, error }) => (
        <p key={id} class="error" role="alert">
          Run {id} could not be loaded: {error.message}{" "}
          <button type="button" onClick={() => void openCompared(id)}>
            Try again
          </button>
        </p>
      ))}
      {ids.length === 0 && <Nothing />}
      {reading && held.length === 0 && <div class="card nothing-yet" role="status" aria-label="Loading the runs" />}
      {sides.length > 0 && shownBefore.current && (
        <>
          <SidesLegend sides={sides} hidden={hidden} ids={ids} />
          <SpecTable sides={sides} />
          <div class="overview-head">
            <PlotControls choice={plots} steps={steps} zoom={zoom} onZoom={onZoom} />
            {seeds && (
              <Segments
                label="Runs that differ only in their seed"
                word="seeds"
                value={apart ? "each" : "mean"}
                options={[
                  ["mean", "seeds as a mean"],
                  ["each", "each seed"],
                ]}
              />
            )}
            {seeds && !apart && (
              <Segments
                label="Band around a mean"
                word="band"
                value={band}
                options={[
                  ["range", "min to max"],
                  ["sd", "± sd"],
                ]}
              />
            )}
          </div>
          <p class="muted plot-note">
            {plots.smooth > 1
              ? `Lines: mean of the last ${plots.smooth} steps.`
              : "Lines: each step, or the mean of several."}
            {seeds && !apart && ` Bands: ${BAND_NAMES[band]}, of those seeds that have come so far.`}
          </p>
          <Overlays sides={shown} choice={choice} plots={plots} zoom={zoom} onZoom={onZoom} cursor={cursor} />
          <DeltaTable ids={ids} sides={sides} apart={apart} wanted={choice.baseline} />
          <GuidanceMaps sides={shown} />
        </>
      )}
    </main>
  );
}

/** Made anew when a run joins, or its name changes; not with every step. */
function useSides(held: readonly Compared[], ids: readonly string[], apart: boolean) {
  const known = held.map(({ detail }) => `${detail.id} ${detail.name} ${detail.state}`).join();
  return useMemo(() => {
    const runs = held.map(({ detail }) => detail);
    const places = runs.map((run) => ids.indexOf(run.id));
    return sidesOf(runs, places, apart);
  }, [known, apart]);
}

const Nothing = () => (
  <div class="card empty">
    <h2>No runs chosen</h2>
    <p>
      Select some in <a href="/">the list of runs</a> and press Compare, or add one above. What differs in their specs,
      their curves, their scores with paired intervals, and their guidance then stand side by side.
    </p>
  </div>
);
