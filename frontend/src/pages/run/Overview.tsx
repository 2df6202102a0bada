/** At a glance: does it learn, and what does it still need. */
import { useEffect } from "preact/hooks";
import { CompareWith } from "../../components/CompareWith";
import { GuidanceFigure, mapOf } from "../../components/GuidanceFigure";
import { LevelFigure } from "../../components/LevelFigure";
import { ScoreFigure } from "../../components/ScoreFigure";
import { UnguidedFigure } from "../../components/UnguidedFigure";
import { loadRuns, openRun, useStore } from "../../store";
import type { RunPartProps } from "../Run";

export default function Overview({ data, query, ...shared }: RunPartProps) {
  const withId = query.get("with");
  const { open, list } = useStore();
  const beside = open.get(withId ?? "");
  useEffect(() => {
    // Other runs to compare with; someone who came by a link has no list yet.
    if (list.state !== "ready") void loadRuns();
  }, []);
  useEffect(() => {
    if (withId) void openRun(withId);
  }, [withId]);
  const other = beside?.state === "ready" ? beside.value : null;
  return (
    <>
      <CompareWith run={data.detail} withId={withId} />
      {beside?.state === "error" && (
        <p class="error" role="alert">
          The run to compare with could not be loaded: {beside.error.message}
        </p>
      )}
      <GuidanceFigure data={data} {...mapOf(query)} {...shared} />
      <div class="pair">
        <UnguidedFigure data={data} other={other} {...shared} />
        <LevelFigure data={data} {...shared} />
      </div>
      <ScoreFigure data={data} other={other} />
    </>
  );
}
