import { keysOf, MEANINGS, type Panel } from "../pages/run/panels";

/** What the numbers of a panel mean, and where there is more. */
export function Meanings({ panel, runId }: { panel: Panel; runId: string }) {
  const special = panel.plots.flatMap((plot) => (plot.source === "series" ? [] : [plot.title || panel.title]));
  return (
    <>
      <dl>
        {[...keysOf(panel), ...special].map((key) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{MEANINGS[key]}</dd>
          </div>
        ))}
      </dl>
      <a href={`/api/v1/runs/${encodeURIComponent(runId)}/series`}>All series of this run</a>
      {panel.part && (
        <>
          {" · "}
          <a href={`/runs/${runId}/${panel.part.path}`}>{panel.part.title}</a>
        </>
      )}
    </>
  );
}
