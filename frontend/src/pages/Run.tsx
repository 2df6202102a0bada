/** One run: its header, and below it the part of the page that the path names. */
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/http";
import { Failure, Waiting } from "../components/parts";
import { RunHeader } from "../components/RunHeader";
import { StepCursor, sayZoom, type Zoom } from "../cursor";
import { runName } from "../format";
import type { RunData } from "../live";
import { Lazy, type Load, type PageProps } from "../routes";
import { openRun, showRun } from "../store/opened";
import { useSeen, useStore } from "../store/state";
import type { RunDetail } from "../types";
import { useZoom } from "../useZoom";
import "./Run.css";

/** What every part of the page gets. Zoom and cursor are shared, so that they stay when one changes the part. */
export interface RunPartProps {
  data: RunData;
  query: URLSearchParams;
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  cursor: StepCursor;
}

interface Part {
  path: string;
  title: string;
  load: Load<RunPartProps>;
  kinds: readonly RunDetail["kind"][];
}

const PARTS: Part[] = [
  { path: "", title: "Overview", load: () => import("./run/Overview"), kinds: ["train"] },
  { path: "guidance", title: "Guidance", load: () => import("./run/Guidance"), kinds: ["train"] },
  { path: "rollouts", title: "Rollouts", load: () => import("./run/Rollouts"), kinds: ["train"] },
  { path: "evaluations", title: "Evaluations", load: () => import("./run/Evaluations"), kinds: ["train", "eval"] },
  { path: "checkpoints", title: "Checkpoints", load: () => import("./run/Checkpoints"), kinds: ["train"] },
  { path: "logs", title: "Logs", load: () => import("./run/Logs"), kinds: ["train", "eval"] },
  { path: "events", title: "Events", load: () => import("./run/Events"), kinds: ["train", "eval"] },
  { path: "spec", title: "Spec", load: () => import("./run/Spec"), kinds: ["train", "eval"] },
];

const fetchPart = (path: string): void =>
  void PARTS.find((part) => part.path === path)
    ?.load()
    .catch(() => {});
// Someone who comes by a link needs it first of all.
fetchPart(location.pathname.split("/")[3] ?? "");

export default function RunPage({ parts: [id = "", path = ""], query }: PageProps) {
  const held = useStore().open.get(id);
  const [zoom, onZoom] = useZoom(query);
  const [cursor] = useState(() => new StepCursor());
  useEffect(() => showRun(id), [id]);
  useSeen([id]);
  // Its code comes while the run is read, not after it.
  useEffect(() => fetchPart(path), [path]);

  const run = held?.state === "ready" ? held.value.detail : null;
  const parts = PARTS.filter((part) => !run || part.kinds.includes(run.kind));
  const part = parts.find((one) => one.path === path) ?? parts[0]!;
  const title = `${part.path ? `${part.title} · ` : ""}${run ? runName(run) : id} · TRAPO`;
  useEffect(() => {
    document.title = title;
  }, [title]);

  if (!held || held.state === "loading") return <Waiting label="Loading the run" />;
  if (held.state === "error") return <Unreadable id={id} error={held.error} />;
  const shared = sharedWords(query, zoom);
  const props = { data: held.value, query, zoom, onZoom, cursor };
  return (
    <main id="main">
      <RunHeader run={held.value.detail} />
      <nav class="tabs" aria-label="Parts of the run">
        {parts.map(({ path, title }) => (
          <a key={path} href={partPath(id, path) + shared} aria-current={path === part.path ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <Lazy key={part.path} load={part.load} props={props} inside />
    </main>
  );
}

const LOOKS = ["x", "smooth", "log"];

/** How the curves are shown goes along from part to part. */
function sharedWords(query: URLSearchParams, zoom: Zoom): string {
  const words = new URLSearchParams(LOOKS.flatMap((word) => (query.has(word) ? [[word, query.get(word)!]] : [])));
  if (zoom) words.set("zoom", sayZoom(zoom)!);
  return words.size ? `?${words}` : "";
}

export const partPath = (id: string, part: string): string => `/runs/${id}${part ? `/${part}` : ""}`;

function Unreadable({ id, error }: { id: string; error: Error }) {
  const gone = error instanceof ApiError && error.status === 404;
  return (
    <main id="main">
      <p class="crumbs">
        <a href="/">Runs</a>
      </p>
      <h1>{gone ? "No such run" : "Run"}</h1>
      <Failure
        error={gone ? new Error(`There is no run ${id}.`) : error}
        again={gone ? undefined : () => void openRun(id)}
      />
    </main>
  );
}
