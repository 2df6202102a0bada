import { useCallback, useEffect, useState } from "preact/hooks";
import { getProblems } from "../api/guidance";
import { count } from "../format";
import type { RunData } from "../live";
import { asError, type Loaded, useLoaded } from "../loaded";
import { paint } from "../pictures/marks";
import { drawProblems, KINDS, problemTable, summarizeShares } from "../pictures/problems";
import { setQuery } from "../router";
import { cssVar, FONT } from "../theme";
import type { TrainedProblem, TrainedProblems } from "../types";
import { asSvg, sheet, useWidth } from "./canvas";
import { Figure } from "./Figure";
import { ProblemRow } from "./ProblemRow";
import { Failure } from "./parts";
import { ShareBars } from "./ShareBars";
import { useSlow } from "./slow";
import { useTyped } from "./typed";

const AT_ONCE = 20;
const SORTS: [string, string][] = [
  ["-help", "most help first"],
  ["help", "least help first"],
  ["-last_step", "seen last"],
  ["-visits", "seen most"],
  ["problem", "by name"],
];

/** Which problems still need help: each with its visits as a strip. */
export function ProblemsFigure({ data, query }: { data: RunData; query: URLSearchParams }) {
  const { id, step } = data.detail;
  const [contains, sort] = [query.get("problem") ?? "", query.get("sort") ?? "-help"];
  const asked = { sort: SORTS.some(([name]) => name === sort) ? sort : "-help", contains, limit: AT_ONCE, visits: 48 };
  const tick = useSlow(step);
  const [first, again] = useLoaded(() => getProblems(id, asked), [id, asked.sort, contains, tick]);
  const [more, setMore] = useState<TrainedProblem[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [reading, setReading] = useState("");
  const onReading = useCallback((text: string) => setReading(text), []);
  const [box, width] = useWidth<HTMLDivElement>();
  const visits = width > 900 ? 40 : width > 640 ? 28 : Math.max(8, Math.min(40, Math.floor(width / 9)));
  useEffect(() => {
    // What follows the first page was asked after another first page.
    setMore([]);
    setNext(first.state === "ready" ? (first.value.next_cursor ?? null) : null);
  }, [first]);
  const on = async (): Promise<void> => {
    const page = await getProblems(id, { ...asked, cursor: next });
    setMore([...more, ...page.data]);
    setNext(page.next_cursor ?? null);
  };

  const rows = first.state === "ready" ? [...first.value.data, ...more] : [];
  const seen = first.state === "ready" ? first.value.shares.reduce((a, b) => a + b, 0) : 0;
  const keys = Object.values(KINDS).map(({ name, color }) => ({ label: name, color }));
  const drawing = () => drawProblems(rows, 40, 1000);
  return (
    <Figure
      title="Problems that need help"
      file="problems"
      summary={summaryOf(first)}
      about={<About />}
      reading={reading}
      readingFirst
      empty={seen === 0}
      table={() => problemTable(rows)}
      png={() => {
        const { width, height, marks } = drawing();
        return sheet("Problems that need help", keys, width, height, (ctx) => paint(ctx, marks, FONT, cssVar));
      }}
      svg={() => asSvg("Problems that need help", keys, [drawing()])}
    >
      <div ref={box}>
        {first.state === "error" ? (
          <Failure error={first.error} again={again} />
        ) : first.state === "loading" ? (
          <p class="muted" role="status">
            Reading the problems…
          </p>
        ) : seen === 0 ? (
          <Nothing step={step} />
        ) : (
          <>
            <ShareBars shares={first.value.shares} />
            <Asking query={query} sort={asked.sort} />
            <Key />
            {rows.length === 0 && <p class="nothing">No problem of this run has “{contains}” in its id or text.</p>}
            <ol class="problems">
              {rows.map((problem) => (
                <ProblemRow
                  key={problem.problem}
                  runId={id}
                  problem={problem}
                  visits={visits}
                  zoom={query.get("zoom")}
                  onReading={onReading}
                />
              ))}
            </ol>
            {next && <More rows={rows.length} on={on} />}
          </>
        )}
      </div>
    </Figure>
  );
}

function summaryOf(first: Loaded<TrainedProblems>): string {
  return first.state === "ready" ? summarizeShares(first.value.shares) : "Each problem with its visits, newest right.";
}

function Nothing({ step }: { step: number }) {
  return (
    <div class="nothing">
      {step > 0
        ? "This run does not tell of single problems: it samples no groups, or was trained by an older version. Its rollouts have them all."
        : "The list begins with the first step."}
    </div>
  );
}

function Asking({ query, sort }: { query: URLSearchParams; sort: string }) {
  return (
    <div class="asking" role="search">
      <input
        type="search"
        maxLength={200}
        placeholder="Find by id or text"
        aria-label="Find problems by id or text"
        {...useTyped("problem", query)}
      />
      <select
        aria-label="Order"
        onChange={(e) => setQuery("sort", e.currentTarget.value === "-help" ? null : e.currentTarget.value)}
      >
        {SORTS.map(([name, said]) => (
          <option key={name} value={name} selected={name === sort}>
            {said}
          </option>
        ))}
      </select>
    </div>
  );
}

function Key() {
  return (
    <ul class="legend strip-key">
      <li class="muted">a column a visit, newest right; its height: help needed</li>
      {Object.values(KINDS).map(({ name, color }, i) => (
        <li key={name}>
          <svg width="9" height="14" aria-hidden="true">
            <rect x="1" y={12 - i * 3} width="7" height={2 + i * 3} rx="1" fill={`var(--${color})`} />
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}

function More({ rows, on }: { rows: number; on: () => Promise<void> }) {
  const [said, say] = useState("");
  const go = (): void => {
    say("Loading…");
    on().then(
      () => say(""),
      (e: unknown) => say(asError(e).message),
    );
  };
  return (
    <p class="more">
      <button type="button" onClick={go}>
        More problems
      </button>
      <span class="muted" role="status">
        {said || `${count(rows)} shown`}
      </span>
    </p>
  );
}

function About() {
  return (
    <dl>
      <dt>Help</dt>
      <dd>
        The share of the expert's trace that a sample is expected to need: the failure rate as a function of the prefix,
        from none to all, added up over the trace. 0 %: right alone every time. 100 %: wrong however much was given. The
        number beside a strip is of late: each visit weighs as much as all before it together.
      </dd>
      <dt>Colour</dt>
      <dd>The shortest prefix with which any sample of the visit was right. A cross: none was.</dd>
      <dt>Alone</dt>
      <dd>Success rate of the samples without a prefix, of late.</dd>
    </dl>
  );
}
