/** How much expert guidance the problems still need: when, how far, which, and what the model makes of the expert. */
import { ExpertFigure } from "../../components/ExpertFigure";
import { GuidanceFigure, mapOf } from "../../components/GuidanceFigure";
import { LevelFigure } from "../../components/LevelFigure";
import { ProblemsFigure } from "../../components/ProblemsFigure";
import { TrustFigure } from "../../components/TrustFigure";
import type { RunPartProps } from "../Run";
import "./Guidance.css";

export default function Guidance({ data, query, ...shared }: RunPartProps) {
  return (
    <>
      <GuidanceFigure data={data} {...mapOf(query)} {...shared} />
      <ProblemsFigure data={data} query={query} />
      <TrustFigure data={data} zoom={shared.zoom} />
      <div class="pair">
        <LevelFigure data={data} {...shared} />
        <ExpertFigure data={data} {...shared} />
      </div>
    </>
  );
}
