/** One benchmark and metric: who stands where, and how sure that is. */
import { useCallback, useState } from "preact/hooks";
import { Bars } from "../../components/Bars";
import { asSvg, sheet } from "../../components/canvas";
import { Figure } from "../../components/Figure";
import { count, percent } from "../../format";
import { MEANINGS, OF_SCORES } from "../../meanings";
import { describe, intervalName, isSmall, type ScoreSet, setTable, type Verdict } from "../../pictures/board";
import { drawBoard } from "../../pictures/boardBars";
import { paint } from "../../pictures/marks";
import { SMALL } from "../../pictures/scores";
import { cssVar, FONT } from "../../theme";

export function BoardFigure({ set, flattered }: { set: ScoreSet; flattered: boolean }) {
  const [reading, setReading] = useState("");
  const onReading = useCallback((text: string) => setReading(text), []);
  const title = `${set.benchmark} ${set.metric}`;
  const draw = (width: number, selected: number | null) => drawBoard(set, width, selected);
  return (
    <Figure
      title={title}
      file={`board-${set.benchmark}-${set.metric}`.replaceAll(/[^\w.@-]+/g, "-")}
      summary={summaryOf(set)}
      reading={reading}
      about={<About set={set} flattered={flattered} />}
      table={() => setTable(set)}
      png={() => {
        const picture = draw(1000, null);
        return sheet(title, [], 1000, picture.height, (ctx) => paint(ctx, picture.marks, FONT, cssVar));
      }}
      svg={() => asSvg(title, [], [draw(1000, null)])}
    >
      <Bars picture={draw} describe={(i) => describe(set, set.rows[i]!)} label={title} onReading={onReading} />
      <Citations set={set} />
    </Figure>
  );
}

function summaryOf({ rows }: ScoreSet): string {
  const ours = rows.filter((row) => row.verdict !== "paper");
  const best = ours.reduce((a, b) => (b.cell.score > a.cell.score ? b : a));
  const number = (verdict: Verdict): number => ours.filter((row) => row.verdict === verdict).length;
  const against = ours.some((row) => row.cell.delta)
    ? ` Against the baseline ${number("better")} better, ${number("worse")} worse, ${number("alike")} not told apart (grey).`
    : number("near")
      ? ` ${count(number("near"))} ${number("near") === 1 ? "overlaps" : "overlap"} the best (grey).`
      : "";
  const apart = number("apart") ? ` ${count(number("apart"))} not comparable: evaluated in another way.` : "";
  const small = rows.some((row) => isSmall(row.cell))
    ? ` A small set, fewer than ${SMALL} problems: its intervals are wide.`
    : "";
  const methods = [...new Set(ours.map((row) => intervalName(row.cell)).filter(Boolean))].join("; ");
  const highest = `Highest: ${best.name} with ${percent(best.cell.score)}.`;
  return `${highest}${against}${apart}${small} Whiskers: ${methods || "no interval"}.`;
}

const Citations = ({ set }: { set: ScoreSet }) => {
  const cited = [...new Set(set.rows.map((row) => row.line.citation).filter(Boolean))];
  if (cited.length === 0) return null;
  return (
    <p class="muted citations">
      ◇ published scores, without intervals, drawn and graded in ways of their own: {cited.join("; ")}. They are beside
      ours to look at, not to compare digit by digit.
    </p>
  );
};

function About({ set, flattered }: { set: ScoreSet; flattered: boolean }) {
  const definitions: [string, string, boolean][] = [
    ["n × k", "Problems of the set, and answers drawn for each.", true],
    ...OF_SCORES.map((name): [string, string, boolean] => [name, MEANINGS[name]!, true]),
    [
      "Difference",
      "Bootstrap over the differences in pairs on the same problems. Grey: its interval holds 0, so it decides nothing. p is of a test by signs, not corrected for many comparisons.",
      set.rows.some((row) => row.cell.delta),
    ],
    [
      "Grey",
      "Its interval overlaps that of the best. A difference from a baseline, in pairs on the same problems, tells more apart.",
      set.rows.some((row) => row.verdict === "near"),
    ],
    [
      "Not comparable",
      "Asked or graded in another way, or on other problems, than the baseline, or than most where there is none.",
      set.rows.some((row) => row.verdict === "apart"),
    ],
    ["Best", "The step was chosen by the score it shows, which is therefore flattered.", flattered],
  ];
  return (
    <dl>
      {definitions
        .filter(([, , shown]) => shown)
        .map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
    </dl>
  );
}
