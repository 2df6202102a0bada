/** The opened rollout, and a second one beside it; what they share is chosen once. */
import { useEffect, useMemo } from "preact/hooks";
import { getRollout } from "../../api/rollouts";
import { useLoaded } from "../../loaded";
import { firstDifference, tokensOf } from "../../pictures/tokens";
import { setQuery } from "../../router";
import { Failure } from "../parts";
import { RolloutView } from "./RolloutView";
import { measureOf, showOf, TokenTools } from "./TokenTools";

export function Panes({
  runId,
  query,
  first,
  second,
}: {
  runId: string;
  query: URLSearchParams;
  first: string;
  second: string | null;
}) {
  const [a, againA] = useLoaded(() => getRollout(runId, first), [runId, first]);
  const [b, againB] = useLoaded(async () => (second ? getRollout(runId, second) : null), [runId, second]);
  const left = a.state === "ready" && a.value.id === first ? a.value : null;
  const right = b.state === "ready" && b.value?.id === second ? b.value : null;
  const tokensA = useMemo(() => left && tokensOf(left), [left]);
  const tokensB = useMemo(() => right && tokensOf(right), [right]);
  const fork = useMemo(() => tokensA && tokensB && firstDifference(tokensA, tokensB), [tokensA, tokensB]);
  const shared = { measure: measureOf(query), show: showOf(query), fork };
  useEffect(() => {
    // On a phone the rollout stands below the list.
    if (left && innerWidth <= 900) document.getElementById("rollout-A")?.scrollIntoView();
  }, [left]);
  const close = (): void => {
    setQuery("rollout", second || null);
    setQuery("beside", null);
  };
  const picking = second === "";
  return (
    <section class="panes" aria-label="Open rollouts">
      <div class="card pane-tools">
        <TokenTools query={query} />
        <button type="button" aria-pressed={picking} onClick={() => setQuery("beside", second === null ? "" : null)}>
          {second === null ? "put another beside it" : picking ? "choose its mark in the list…" : "only one"}
        </button>
      </div>
      {a.state === "error" && <Failure error={a.error} again={againA} />}
      {b.state === "error" && <Failure error={b.error} again={againB} />}
      <div class="pane-pair">
        {left && <RolloutView rollout={left} tokens={tokensA} pane="A" {...shared} onClose={close} />}
        {right && (
          <RolloutView rollout={right} tokens={tokensB} pane="B" {...shared} onClose={() => setQuery("beside", null)} />
        )}
      </div>
    </section>
  );
}
