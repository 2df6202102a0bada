import { useId, useState } from "preact/hooks";
import { count, percent } from "../format";
import {
  describeStrip,
  describeVisit,
  outcomeOf,
  STRIP_HEIGHT,
  stripMarks,
  stripWidth,
  visitAt,
} from "../pictures/problems";
import type { TrainedProblem } from "../types";
import { Drawn } from "./Drawn";

interface Props {
  runId: string;
  problem: TrainedProblem;
  visits: number;
  /** The word of the URL. */
  zoom: string | null;
  onReading: (text: string) => void;
}

/** One problem: what it is, its strip, and what it needs of late. The strip is read by pointer and by arrow keys. */
export function ProblemRow({ runId, problem, visits, zoom, onReading }: Props) {
  const [at, setAt] = useState<number | null>(null);
  const [all, setAll] = useState(false);
  const id = useId();
  const outcomes = problem.history.slice(-visits).map(outcomeOf);
  const last = outcomes.length - 1;
  const go = (i: number | null): void => {
    const to = i === null || i < 0 || i > last ? null : i;
    setAt(to);
    onReading(to === null ? "" : `${problem.problem}, ${describeVisit(outcomes[to]!)}`);
  };
  const press = (event: KeyboardEvent): void => {
    const keys: Record<string, number | null> = {
      ArrowLeft: at === null ? last : Math.max(0, at - 1),
      ArrowRight: at === null ? last : Math.min(last, at + 1),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    go(keys[event.key]!);
  };
  const place = at === null ? -1 : visits - outcomes.length + at;
  const marks = stripMarks(outcomes, visits);
  if (place >= 0) {
    const x = (place * stripWidth(visits)) / visits;
    marks.push({ kind: "path", d: `M${x + 0.5} .5h8v${STRIP_HEIGHT - 1}h-8Z`, stroke: "ink", width: 1 });
  }
  return (
    <li class="problem">
      <div class="problem-what">
        <a
          href={`/runs/${runId}/rollouts?problem=${encodeURIComponent(problem.problem)}${zoom ? `&zoom=${encodeURIComponent(zoom)}` : ""}`}
        >
          {problem.problem}
        </a>
        {problem.text && (
          <p class={all ? "problem-text all" : "problem-text"} id={id}>
            {problem.text}
          </p>
        )}
        {problem.text.length > 90 && (
          <button type="button" class="quiet" aria-expanded={all} aria-controls={id} onClick={() => setAll(!all)}>
            {all ? "less" : "more"}
          </button>
        )}
      </div>
      <div
        class="strip"
        role="application"
        aria-roledescription="strip of visits"
        aria-label={`${problem.problem}. ${describeStrip(outcomes)} Arrow keys move through the visits.`}
        tabIndex={0}
        onKeyDown={press}
        onBlur={() => go(null)}
        onPointerMove={(e) =>
          go(visitAt(e.clientX - e.currentTarget.getBoundingClientRect().left, outcomes.length, visits))
        }
        onPointerLeave={() => go(null)}
      >
        <Drawn marks={marks} width={stripWidth(visits)} height={STRIP_HEIGHT} />
      </div>
      <dl class="problem-numbers">
        <div>
          <dt>help</dt>
          <dd>{percent(problem.help, 0)}</dd>
        </div>
        <div>
          <dt>alone</dt>
          <dd>{percent(problem.alone, 0)}</dd>
        </div>
        <div>
          <dt>visits</dt>
          <dd>{count(problem.visits)}</dd>
        </div>
        <div>
          <dt>last step</dt>
          <dd>{count(problem.last_step)}</dd>
        </div>
      </dl>
    </li>
  );
}
