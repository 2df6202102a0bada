import { sayZoom, type Zoom } from "../cursor";
import { MEANINGS } from "../meanings";
import { keysOf, type Panel } from "../panels";

/** Words and numbers with what they mean. */
export const Defined = ({ names }: { names: readonly string[] }) => (
  <dl>
    {names.map((name) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{MEANINGS[name]}</dd>
      </div>
    ))}
  </dl>
);

/** What the numbers of a panel mean, and where there is more. */
export function Meanings({ panel, runId, zoom }: { panel: Panel; runId: string; zoom: Zoom }) {
  const special = panel.plots.flatMap((plot) => (plot.source === "series" ? [] : [plot.title || panel.title]));
  return (
    <>
      <Defined names={[...keysOf(panel), ...special]} />
      <a href={`/api/v1/runs/${encodeURIComponent(runId)}/series`}>All series of this run</a>
      {panel.part && (
        <>
          {" · "}
          <a href={`/runs/${runId}/${panel.part.path}${zoom ? `?zoom=${sayZoom(zoom)}` : ""}`}>{panel.part.title}</a>
        </>
      )}
    </>
  );
}
