import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api";
import { GuidanceFigure } from "../components/GuidanceFigure";
import { LevelFigure } from "../components/LevelFigure";
import { Failure } from "../components/parts";
import { RunDetails, tabOf } from "../components/RunDetails";
import { RunHeader } from "../components/RunHeader";
import { ScoreFigure } from "../components/ScoreFigure";
import { UnguidedFigure } from "../components/UnguidedFigure";
import { StepCursor, type Zoom } from "../cursor";
import { runName } from "../format";
import { loadRuns, openRun, useStore } from "../store";

export function RunPage({ id, query }: { id: string; query: URLSearchParams }) {
  const { open, list } = useStore();
  const withId = query.get("with");
  const [zoom, setZoom] = useState<Zoom>(null);
  const [cursor] = useState(() => new StepCursor());
  useEffect(() => {
    void openRun(id, true);
    // Other runs to compare with; someone who came by a link has no list yet.
    if (list.state !== "ready") void loadRuns();
  }, [id]);
  useEffect(() => {
    if (withId) void openRun(withId);
  }, [withId]);

  const held = open.get(id);
  const name = held?.state === "ready" ? runName(held.value.detail) : id;
  useEffect(() => {
    document.title = `${name} · TRAPO`;
  }, [name]);

  if (!held || held.state === "loading") return <Waiting />;
  if (held.state === "error") {
    const gone = held.error instanceof ApiError && held.error.status === 404;
    return (
      <main>
        <p class="crumbs">
          <a href="/">Runs</a>
        </p>
        <Failure
          error={gone ? new Error(`There is no run ${id}.`) : held.error}
          again={gone ? undefined : () => void openRun(id, true)}
        />
      </main>
    );
  }
  const data = held.value;
  const beside = withId ? open.get(withId) : undefined;
  const other = beside?.state === "ready" ? beside.value : null;
  const shared = { data, other, zoom, onZoom: setZoom, cursor };
  return (
    <main>
      <RunHeader run={data.detail} withId={withId} />
      {beside?.state === "error" && (
        <p class="error" role="alert">
          The run to compare with could not be loaded: {beside.error.message}
        </p>
      )}
      {data.detail.kind === "train" && (
        <>
          <GuidanceFigure
            data={data}
            view={query.get("view") === "length" ? "length" : "level"}
            zoom={zoom}
            onZoom={setZoom}
            cursor={cursor}
          />
          <div class="pair">
            <UnguidedFigure {...shared} />
            <LevelFigure {...shared} />
          </div>
        </>
      )}
      <ScoreFigure data={data} other={other} />
      <RunDetails data={data} tab={tabOf(query.get("tab"))} />
    </main>
  );
}

const Waiting = () => (
  <main aria-busy="true">
    <div class="card skeleton tall" role="status" aria-label="Loading the run">
      {[1, 2, 3].map((i) => (
        <div key={i} />
      ))}
    </div>
  </main>
);
