/** Benchmark scores with their intervals. */
import { ScoreFigure } from "../../components/ScoreFigure";
import type { RunPartProps } from "../Run";

export default function Evaluations({ data }: RunPartProps) {
  return <ScoreFigure data={data} other={null} />;
}
