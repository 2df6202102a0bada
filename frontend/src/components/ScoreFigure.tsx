import { useCallback, useMemo, useState } from "preact/hooks";
import { percent, runName } from "../format";
import type { RunData } from "../live";
import { OF_SCORES } from "../meanings";
import { paint } from "../pictures/marks";
import { drawScores, intervalOf, type ScoreRow, SMALL, scoreRows, stepName } from "../pictures/scores";
import type { Table } from "../pictures/table";
import { cssVar, FONT } from "../theme";
import { asSvg, sheet } from "./canvas";
import { Figure } from "./Figure";
import { Defined } from "./Meanings";
import { ScoreBars } from "./ScoreBars";

/** Picture c: benchmark scores, each with the interval it comes with. */
export function ScoreFigure({ data }: { data: RunData }) {
  const [reading, setReading] = useState("");
  const onReading = useCallback((text: string) => setReading(text), []);
  const { kind, method } = data.detail;
  const run = method ?? runName(data.detail);
  const rows = useMemo(
    () => scoreRows([{ run, color: "run-a", scores: data.scores, trained: kind === "train" }]),
    [data.scores, kind, run],
  );

  const png = (): HTMLCanvasElement => {
    const picture = drawScores(rows, 900, null);
    return sheet("Benchmark scores", [], 900, picture.height, (ctx) => paint(ctx, picture.marks, FONT, cssVar));
  };
  return (
    <Figure
      title="Benchmark scores"
      file="scores"
      summary={summaryOf(rows)}
      reading={reading}
      about={<Defined names={OF_SCORES} />}
      empty={rows.length === 0}
      table={() => tableOf(rows)}
      png={png}
      svg={() => asSvg("Benchmark scores", [], [drawScores(rows, 900, null)])}
    >
      {rows.length === 0 ? (
        <div class="nothing">
          {data.detail.ended_at ? "This run was not evaluated." : "Scores appear after the first evaluation."}
        </div>
      ) : (
        <>
          <ScoreKey rows={rows} />
          <ScoreBars rows={rows} label="Benchmark scores" onReading={onReading} />
        </>
      )}
    </Figure>
  );
}

function ScoreKey({ rows }: { rows: ScoreRow[] }) {
  const lines = rows.flatMap((row) => row.lines);
  const methods = [...new Set(lines.map((line) => intervalOf(line.latest)))];
  const earlier = lines.some((line) => line.earlier.length > 0);
  return (
    <ul class="legend">
      <li>
        <svg width="34" height="12" aria-hidden="true">
          <path d="M2 6H32M2 2V10M32 2V10" stroke="var(--ink-2)" stroke-width="2" />
          <circle cx="17" cy="6" r="4.5" fill="var(--ink-2)" />
        </svg>
        score with interval ({methods.join("; ")})
      </li>
      {earlier && (
        <li>
          <svg width="26" height="12" aria-hidden="true">
            <circle cx="6" cy="6" r="4" fill="none" stroke="var(--ink-2)" stroke-width="1.5" />
            <circle cx="19" cy="6" r="3" fill="none" stroke="var(--ink-2)" stroke-width="1.5" opacity="0.45" />
          </svg>
          first and later evaluations
        </li>
      )}
    </ul>
  );
}

function summaryOf(rows: ScoreRow[]): string {
  const first = rows[0]?.lines[0];
  if (!first) return "No benchmark has been scored yet.";
  const small = rows.some((row) => row.lines.some((line) => line.latest.problems < SMALL));
  const base = first.earlier[0];
  const since = base ? `, from ${percent(base.score)} ${stepName(base.step)}` : "";
  return (
    `${rows[0]!.benchmark} ${rows[0]!.metric}: ${percent(first.latest.score)}${first.when}${since}.` +
    `${small ? ` Sets of fewer than ${SMALL} problems are marked: their intervals are wide.` : ""}`
  );
}

function tableOf(rows: ScoreRow[]): Table {
  const head = ["run", "benchmark", "metric", "step", "score", "low", "high", "interval", "problems", "answers each"];
  const lines = rows.flatMap((row) =>
    row.lines.flatMap((line) =>
      [...line.earlier, line.latest].map((s) => [
        line.run,
        row.benchmark,
        row.metric,
        s.step,
        s.score,
        s.low,
        s.high,
        intervalOf(s),
        s.problems,
        s.samples,
      ]),
    ),
  );
  return { head, rows: lines };
}
