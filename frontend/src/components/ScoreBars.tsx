import { describeLine, drawScores, type ScoreRow } from "../pictures/scores";
import { Bars } from "./Bars";

interface Props {
  rows: ScoreRow[];
  label: string;
  onReading: (text: string) => void;
}

/** Scores of a run, or of two, as bars with whiskers. */
export function ScoreBars({ rows, label, onReading }: Props) {
  const describe = (i: number): string => {
    const row = rows[i]!;
    return row.lines.map((line) => describeLine(row, line, row.lines.length > 1)).join(" · ");
  };
  return (
    <Bars
      picture={(width, selected) => drawScores(rows, width, selected)}
      describe={describe}
      label={label}
      onReading={onReading}
    />
  );
}
