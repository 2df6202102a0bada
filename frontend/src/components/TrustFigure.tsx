import { useState } from "preact/hooks";
import { getTrustRegion } from "../api/guidance";
import type { Zoom } from "../cursor";
import type { RunData } from "../live";
import { useLoaded } from "../loaded";
import { paint } from "../pictures/marks";
import { describeTrust, drawTrust, summarizeTrust, trustCell, trustLayout, trustTable } from "../pictures/trust";
import { cssVar, FONT } from "../theme";
import type { TrustRegion } from "../types";
import { asSvg, sheet, useWidth } from "./canvas";
import { Drawn } from "./Drawn";
import { Figure } from "./Figure";
import { Failed, Soon } from "./parts";
import { useRested, useSlow } from "./slow";
import { useVisible } from "./visible";

const HEIGHT = 370; // of the picture, with rows for a trace of some hundred tokens
const KEYS = [
  { label: "inside the trust region, p ≥ α", color: "run-a" },
  { label: "outside, p < α", color: "run-b" },
];

/** How far the expert is from the model, and where in its trace. */
export function TrustFigure({ data, zoom }: { data: RunData; zoom: Zoom }) {
  const { id, step } = data.detail;
  const [seen, visible] = useVisible<HTMLElement>();
  const window = useSlow(useRested(zoom), 0, visible);
  const [from, to] = window ? [Math.max(0, Math.ceil(window[0])), Math.floor(window[1])] : [undefined, undefined];
  const moved = useSlow(step, 5000, visible);
  const [region, again] = useLoaded(() => getTrustRegion(id, from, to), [id, from, to], moved);
  const [reading, setReading] = useState("");
  const held = region.state === "ready" ? region.value : null;
  const empty = !held || held.counts.length === 0;
  const drawing = () => drawTrust(held!, 1000);
  const title = "Trust region";
  return (
    <Figure
      box={seen}
      title={title}
      file="trust-region"
      summary={held ? summarizeTrust(held) : "Probability of the expert's tokens under the model."}
      about={<About />}
      reading={reading}
      empty={empty}
      table={() => trustTable(held!)}
      png={() => {
        const { width, height, marks } = drawing();
        return sheet(title, KEYS, width, height, (ctx) => paint(ctx, marks, FONT, cssVar));
      }}
      svg={() => asSvg(title, KEYS, [drawing()])}
    >
      <Failed of={region} again={again} />
      {region.state === "error" ? null : region.state === "loading" ? (
        <Soon height={HEIGHT}>Reading the expert's tokens…</Soon>
      ) : empty ? (
        <div class="nothing">
          {step > 0
            ? "No expert token came before the loss in these steps, or an older version trained this run and did not count them."
            : "The picture grows from the first step with an expert token on."}
        </div>
      ) : (
        <Picture region={region.value} onReading={setReading} />
      )}
    </Figure>
  );
}

function Picture({ region, onReading }: { region: TrustRegion; onReading: (text: string) => void }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<[number, number] | null>(null);
  const go = (cell: [number, number] | null): void => {
    if (cell?.[0] === at?.[0] && cell?.[1] === at?.[1]) return;
    setAt(cell);
    onReading(cell ? describeTrust(region, cell) : "");
  };
  const press = (event: KeyboardEvent): void => {
    const [rows, columns] = [region.counts.length - 1, region.edges.length - 2];
    const [r, c] = at ?? [-1, columns + 1];
    const keys: Record<string, [number, number] | null> = {
      ArrowLeft: [r, c - 1],
      ArrowRight: [r, c + 1],
      ArrowUp: [r - 1, Math.min(c, columns)],
      ArrowDown: [r + 1, Math.min(c, columns)],
      Home: [r, 0],
      End: [r, columns],
      Escape: null,
    };
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const to = keys[event.key]!;
    go(to && [Math.max(-1, Math.min(rows, to[0])), Math.max(0, Math.min(columns, to[1]))]);
  };
  const point = (event: PointerEvent): void => {
    const { left, top } = box.current!.getBoundingClientRect();
    go(trustCell(trustLayout(width), region, event.clientX - left, event.clientY - top));
  };
  const picture = drawTrust(region, Math.max(280, width), at);
  return (
    <div
      ref={box}
      class="trust"
      role="application"
      aria-roledescription="histogram by place"
      aria-label="Probability of the expert's tokens, by place in the trace. Arrow keys move through the cells."
      tabIndex={0}
      onKeyDown={press}
      onPointerMove={point}
      onPointerDown={point}
      onPointerLeave={() => go(null)}
    >
      {width > 0 && <Drawn {...picture} />}
    </div>
  );
}

function About() {
  return (
    <dl>
      <dt>p</dt>
      <dd>Probability of the expert's token under the model that was trained, before the step.</dd>
      <dt>α, the trust region</dt>
      <dd>
        An expert token with p ≥ α pulls with full weight, as in supervised learning. Below α its pull is scaled by p/α:
        what the model finds absurd is not forced upon it. Methods without a trust region are measured by the paper's
        0.1.
      </dd>
      <dt>Place</dt>
      <dd>
        Which token of the expert's trace it is, counted from 1; each row of places is twice as long as the one above.
      </dd>
      <dt>The picture</dt>
      <dd>On top all tokens. Below, each row is its own distribution: the darker, the more of the row's tokens.</dd>
    </dl>
  );
}
