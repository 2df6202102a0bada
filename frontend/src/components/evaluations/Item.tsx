/** One problem of an evaluation: what was asked, what is expected, what was answered, and how it went before. */
import { useState } from "preact/hooks";
import { getItem } from "../../api/evaluations";
import { count, words } from "../../format";
import { useLoaded } from "../../loaded";
import { answersOf, type Chosen, changeOf, pastOf } from "../../pictures/items";
import { oneLine } from "../../pictures/plain";
import { setQuery, setWords } from "../../router";
import type { EvaluatedProblem } from "../../types";
import { LongText } from "../rollouts/LongText";

const SHOWN = 4; // different answers in a row of the list

interface Props {
  id: string;
  chosen: Chosen;
  item: EvaluatedProblem;
  open: boolean;
}

/** With its evaluation, or the link would lead to another one's answer once there is a newer. */
const linkOf = ({ benchmark, step }: Chosen, place: number): Record<string, string> => ({
  benchmark,
  step: `${step}`,
  item: `${place}`,
});

export function Item({ id, chosen, item, open }: Props) {
  const said = answersOf(item);
  const change = changeOf(item);
  return (
    <li class={`item ${open ? "open" : ""}`}>
      <div class="item-row">
        <button
          type="button"
          class="item-name"
          aria-expanded={open}
          onClick={() => (open ? setQuery("item", null) : setWords(linkOf(chosen, item.place)))}
        >
          <bdi>{oneLine(item.problem)}</bdi>
          <span class="item-prompt">{oneLine(item.prompt)}</span>
        </button>
        <dl class="item-answers">
          <dt>expected</dt>
          <dd>
            <bdi>{oneLine(item.answer)}</bdi>
          </dd>
          <dt>answered</dt>
          <dd>
            {said.slice(0, SHOWN).map(({ answer, right, times }) => (
              <span key={`${right} ${answer}`} class={right ? "said right-answer" : "said"}>
                <span aria-hidden="true">{right ? "✓" : "✗"}</span>
                <span class="hidden-words">{right ? "right: " : "wrong: "}</span>
                <bdi>{oneLine(answer) || "nothing"}</bdi>
                {item.samples > 1 && <span class="muted"> ×{times}</span>}
              </span>
            ))}
            {said.length > SHOWN && <span class="muted">and {said.length - SHOWN} others</span>}
          </dd>
        </dl>
        <Past item={item} step={chosen.step} />
        <p class="item-right">
          <b>
            {item.right} of {item.samples}
          </b>{" "}
          right
          {change && <span class={`change ${change}`}>{change === "better" ? "▲ better" : "▼ worse"}</span>}
        </p>
      </div>
      {open && <Whole id={id} chosen={chosen} place={item.place} />}
    </li>
  );
}

/** A bar for each evaluation, as high as it was right; the last is this one. */
function Past({ item, step }: { item: EvaluatedProblem; step: number }) {
  const past = pastOf(item, step).slice(-16);
  const [width, height] = [8, 24];
  return (
    <svg
      class="past"
      width={16 * width}
      height={height}
      viewBox={`0 0 ${16 * width} ${height}`}
      role="img"
      aria-label={`Right: ${past.map((one) => one.words).join(", ")}`}
    >
      {past.map(({ step, share, words }, i) => {
        const x = (16 - past.length + i) * width;
        const high = Math.round(share * (height - 3));
        return (
          <g key={step}>
            <title>{words}</title>
            <rect x={x} y={0} width={width - 2} height={height} fill="var(--empty)" />
            <rect x={x} y={height - 2 - high} width={width - 2} height={high + 2} fill="var(--run-a)" />
          </g>
        );
      })}
    </svg>
  );
}

function Whole({ id, chosen: { step, benchmark }, place }: { id: string; chosen: Chosen; place: number }) {
  const [loaded, again] = useLoaded(() => getItem(id, step, benchmark, place), [id, step, benchmark, place]);
  const [at, setAt] = useState(0);
  if (loaded.state === "loading") return <p class="muted">Reading the answers…</p>;
  if (loaded.state === "error")
    return (
      <p class="error" role="alert">
        {loaded.error.message}{" "}
        <button type="button" onClick={again}>
          Try again
        </button>
      </p>
    );
  const { prompt, answers } = loaded.value;
  const answer = answers[Math.min(at, answers.length - 1)]!;
  return (
    <div class="item-whole">
      <h3>Problem</h3>
      <LongText text={prompt} show="text" />
      <h3>
        {answers.length > 1 ? `Answer ${answer.sample + 1} of ${answers.length}` : "Answer"}{" "}
        <span class="muted">
          {words(answer.outcome)} · {count(answer.tokens)} tokens
          {answer.finish === "length" && " · cut off at the limit"}
        </span>
      </h3>
      {answers.length > 1 && (
        <div class="samples" role="group" aria-label="Samples">
          {answers.map((one, i) => (
            <button
              key={one.sample}
              type="button"
              class={one.score === 1 ? "right-answer" : ""}
              aria-pressed={i === at}
              aria-label={`Answer ${one.sample + 1}, ${words(one.outcome)}`}
              onClick={() => setAt(i)}
            >
              {one.score === 1 ? "✓" : "✗"} {one.sample + 1}
            </button>
          ))}
        </div>
      )}
      <LongText key={at} text={answer.completion} show="text" />
    </div>
  );
}
