import { useCallback, useState } from "preact/hooks";
import { type AskedProblems, getProblems } from "../api/guidance";
import { count } from "../format";
import type { RunData } from "../live";
import { type Loaded, useLoaded } from "../loaded";
import { paint } from "../pictures/marks";
import { drawProblems, KINDS, problemTable, summarizeShares } from "../pictures/problems";
import { setQuery } from "../router";
import { cssVar, FONT } from "../theme";
import type { TrainedProblems } from "../types";
import { asSvg, sheet, useWidth } from "./canvas";
import { Figure } from "./Figure";
import { ProblemRow } from "./ProblemRow";
import { Failed } from "./parts";
import { ShareBars } from "./ShareBars";
import { useSlow } from "./slow";
import { useTyped } from "./typed";
import { useVisible } from "./visible";

const [AT_ONCE, MOST] = [20, 100];
const SORTS: [string, string][] = [
  ["-help", "most help first"],
  ["help", "least help first"],
  ["-last_step", "seen last"],
  ["-visits", "seen most"],
  ["problem", "by name"],
];

/** As many rows as somebody has asked for, as one page. */
async function readProblems(id: string, asked: AskedProblems, rows: number): Promise<TrainedProblems> {
  const part = (held: number, cursor?: string) =>
    getProblems(id, { ...asked, limit: Math.min(rows - held, MOST), cursor });
  const page = await part(0);
  while (page.next_cursor && page.data.length < rows) {
    const more = await part(page.data.length, page.next_cursor);
    page.data.push(...more.data);
    page.next_cursor = more.next_cursor;
  }
  return page;
}

/** Which problems still need help: each with its visits as a strip. */
export function ProblemsFigure({ data, query }: { data: RunData; query: URLSearchParams }) {
  const { id, step } = data.detail;
  const [contains, sort] = [query.get("problem") ?? "", query.get("sort") ?? "-help"];
  const asked = { sort: SORTS.some(([name]) => name === sort) ? sort : "-help", contains, visits: 48 };
  const [seen, visible] = useVisible<HTMLElement>();
  const moved = useSlow(step, 5000, visible);
  const question = JSON.stringify([id, asked]);
  const [more, setMore] = useState({ question, wanted: AT_ONCE });
  const wanted = more.question === question ? more.wanted : AT_ONCE;
  const [read, again] = useLoaded(() => readProblems(id, asked, wanted), [question], `${moved} ${wanted}`);
  const [reading, setReading] = useState("");
  const onReading = useCallback((text: string) => setReading(text), []);
  const [box, width] = useWidth<HTMLDivElement>();
  const visits = width > 900 ? 40 : width > 640 ? 28 : Math.max(8, Math.min(40, Math.floor(width / 9)));
  const rows = read.state === "ready" ? read.value.data : [];
  const visited = read.state === "ready" ? read.value.shares.reduce((a, b) => a + b, 0) : 0;
  const keys = Object.values(KINDS).map(({ name, color }) => ({ label: name, color }));
  const drawing = () => drawProblems(rows, 40, 1000);
  return (
    <Figure
      box={seen}
      title="Problems that need help"
      file="problems"
      summary={summaryOf(read)}
      about={<About />}
      reading={reading}
      readingFirst
      empty={visited === 0}
      table={() => problemTable(rows)}
      png={() => {
        const { width, height, marks } = drawing();
        return sheet("Problems that need help", keys, width, height, (ctx) => paint(ctx, marks, FONT, cssVar));
      }}
      svg={() => asSvg("Problems that need help", keys, [drawing()])}
    >
      <div ref={box}>
        <Failed of={read} again={again} />
        {read.state === "error" ? null : read.state === "loading" ? (
          <p class="muted" role="status">
            Reading the problems…
          </p>
        ) : visited === 0 ? (
          <Nothing step={step} />
        ) : (
          <>
            <ShareBars shares={read.value.shares} />
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
            {read.value.next_cursor && (
              <p class="more">
                <button type="button" onClick={() => setMore({ question, wanted: rows.length + AT_ONCE })}>
                  More problems
                </button>
                <span class="muted" role="status">
                  {rows.length < wanted && !read.stale ? "Loading…" : `${count(rows.length)} shown`}
                </span>
              </p>
            )}
          </>
        )}
      </div>
    </Figure>
  );
}

function summaryOf(read: Loaded<TrainedProblems>): string {
  return read.state === "ready" ? summarizeShares(read.value.shares) : "Each problem with its visits, newest right.";
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
