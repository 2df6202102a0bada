/** Benchmark scores with their intervals, now and over steps, and what was answered. */
import { Answers } from "../../components/evaluations/Answers";
import { PanelFigure } from "../../components/PanelFigure";
import { choiceOf } from "../../components/PlotControls";
import { ScoreFigure } from "../../components/ScoreFigure";
import { PANELS, type Panel } from "../../panels";
import { STEPS } from "../../pictures/xaxis";
import type { RunPartProps } from "../Run";
import "./Overview.css";
import "./Evaluations.css";

const SCORES = PANELS.find((panel) => panel.file === "scores")!;
const OVER_STEPS: Panel = {
  title: "Scores over steps",
  file: "scores-over-steps",
  plots: SCORES.plots.map((plot) => ({ ...plot, title: "Benchmark scores" })),
};

export default function Evaluations({ data, query, ...shared }: RunPartProps) {
  const { scores, detail } = data;
  const several = new Set(scores.map((score) => score.step)).size > 1;
  const span: [number, number] = [0, Math.max(1, detail.step)];
  const view = { data, other: null, choice: choiceOf(query, detail.total_steps), axis: STEPS, span, ...shared };
  return (
    <>
      <ScoreFigure data={data} />
      {several && <PanelFigure panel={OVER_STEPS} view={view} />}
      <Answers id={detail.id} scores={scores} query={query} />
    </>
  );
}
