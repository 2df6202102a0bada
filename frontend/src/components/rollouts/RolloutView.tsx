/** One rollout: what it was, what the check made of it, its prompt, and its response token by token. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { count, decimal } from "../../format";
import { endWords, guidedWords, markOf, outcomeWords, signed } from "../../pictures/groups";
import { oneLine, plain } from "../../pictures/plain";
import { toCsv } from "../../pictures/table";
import { describeToken, type Measure, type Token, tokenTable } from "../../pictures/tokens";
import { setQuery } from "../../router";
import type { RolloutDetail } from "../../types";
import { DataTable } from "../DataTable";
import { save } from "../Figure";
import { LongText, type Show } from "./LongText";
import { MarkPicture } from "./SampleMark";
import { TokenText } from "./TokenText";

interface Props {
  rollout: RolloutDetail;
  tokens: Token[] | null;
  pane: "A" | "B";
  measure: Measure | null;
  show: Show;
  fork: number | null;
  onClose: () => void;
}

export function RolloutView({ rollout, tokens, pane, measure, show, fork, onClose }: Props) {
  const [at, onAt] = useState<number | null>(null);
  const [asTable, setAsTable] = useState(false);
  const csv = (): void =>
    save(new Blob([toCsv(tokenTable(tokens!))], { type: "text/csv" }), `rollout-${rollout.id}.csv`);
  return (
    <article class="card rollout" aria-label={`Rollout ${rollout.id}`}>
      <header class="figure-head">
        <MarkPicture mark={markOf(rollout)} />
        <h2 id={`rollout-${pane}`} tabIndex={-1}>
          Rollout {rollout.id}
        </h2>
        <div class="tools">
          {tokens && (
            <>
              <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
                table
              </button>
              <button type="button" class="quiet" onClick={csv}>
                CSV
              </button>
            </>
          )}
          <button type="button" class="quiet" aria-label={`Close rollout ${rollout.id}`} onClick={onClose}>
            ✕
          </button>
        </div>
      </header>
      <Facts rollout={rollout} />
      <details class="prompt" open={rollout.prompt.length < 1200}>
        <summary>Prompt</summary>
        <LongText text={rollout.prompt} show={show} />
      </details>
      {tokens && (asTable || show !== "formulas") ? (
        <>
          <p class="reading" aria-live="polite">
            {at === null ? (
              <span class="hint">Point at a token, or focus the text and use the arrow keys, for its numbers.</span>
            ) : (
              describeToken(tokens, at)
            )}
          </p>
          {asTable ? (
            <DataTable id={`tokens-${pane}`} table={tokenTable(tokens)} />
          ) : (
            <TokenText tokens={tokens} measure={measure} blanks={show === "blanks"} fork={fork} at={at} onAt={onAt} />
          )}
        </>
      ) : (
        <PlainResponse rollout={rollout} show={show} known={tokens !== null} />
      )}
    </article>
  );
}

function Facts({ rollout: r }: { rollout: RolloutDetail }) {
  const read = r.detail === "" || r.detail === null ? "" : plain(r.detail ?? "");
  const facts: [string, ComponentChildren][] = [
    ["problem", <ProblemLink key="p" problem={r.problem} />],
    ["step", `${count(r.step)}, slot ${r.slot}, sample ${r.sample}`],
    ["guidance", r.guided ? `${guidedWords(r)}, ${count(r.prefix_tokens)} tokens` : "unguided"],
    ["end", `${endWords(r.finish)}, ${count(r.completion_tokens)} own tokens`],
    ["reward", decimal(r.reward, 2)],
    ["advantage", signed(r.advantage)],
    ["expected", <code key="e">{plain(r.answer)}</code>],
    ["check", `${outcomeWords(r.outcome)}${read ? `: ${read}` : ""}`],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function ProblemLink({ problem }: { problem: string }) {
  const follow = (): void => {
    setQuery("step", null);
    setQuery("problem", problem);
  };
  return (
    <button type="button" class="quiet follow" onClick={follow} title="Follow this problem through all steps">
      <bdi>{oneLine(problem)}</bdi>
    </button>
  );
}

/** Without its tokens: formulas go across them, and files of older versions do not say where one begins. */
function PlainResponse({ rollout, show, known }: { rollout: RolloutDetail; show: Show; known: boolean }) {
  return (
    <div class="tokens">
      {!known && (
        <p class="muted">The file of this step does not say where its tokens begin, so they have no colours.</p>
      )}
      {rollout.prefix && (
        <section class="said expert">
          <h3>Expert prefix</h3>
          <LongText text={rollout.prefix} show={show} />
        </section>
      )}
      <section class="said own">
        <h3>Model's own</h3>
        <LongText text={rollout.completion} show={show} />
      </section>
    </div>
  );
}
