/** The response of a rollout, token by token: the expert's prefix, then the model's own. */
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { marked, plain } from "../../pictures/plain";
import { type Measure, type Piece, piecesOf, type Token, tintOf } from "../../pictures/tokens";

interface Props {
  tokens: readonly Token[];
  measure: Measure | null;
  blanks: boolean;
  /** The first token that differs from the other pane's. */
  fork: number | null;
  at: number | null;
  onAt: (token: number | null) => void;
}

/** Thousands of spans are made once; the pointer and the keys only move a class from one to another. */
export function TokenText({ tokens, measure, blanks, fork, at, onAt }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const own = tokens.findIndex((token) => !token.expert);
  const border = own < 0 ? tokens.length : own;
  const body = useMemo(() => {
    const say = blanks ? marked : plain;
    const part = (from: number, to: number) =>
      piecesOf(tokens, from, to, fork).map((piece) => (
        <PieceOf key={piece.from} piece={piece} tokens={tokens} measure={measure} say={say} fork={fork} />
      ));
    return (
      <>
        {border > 0 && <Section title={`Expert prefix · ${border} tokens`} kind="expert" body={part(0, border)} />}
        {border < tokens.length && (
          <Section
            title={`Model's own · ${tokens.length - border} tokens`}
            kind="own"
            body={part(border, tokens.length)}
          />
        )}
      </>
    );
  }, [tokens, measure, blanks, fork]);
  useEffect(() => {
    const span = at === null ? null : box.current!.querySelector(`[data-i="${at}"]`);
    span?.classList.add("at");
    return () => span?.classList.remove("at");
  }, [at, body]);
  const point = (event: PointerEvent): void => {
    const place = (event.target as HTMLElement).dataset.i;
    if (place !== undefined) onAt(Number(place));
  };
  const press = (event: KeyboardEvent): void => {
    const to = moved(event, at, tokens.length, box.current!);
    if (to === undefined) return;
    event.preventDefault();
    onAt(to);
    if (to !== null) box.current!.querySelector(`[data-i="${to}"]`)?.scrollIntoView({ block: "nearest" });
  };
  return (
    <div
      ref={box}
      class="tokens"
      role="group"
      aria-label="Tokens of the response. Arrow keys move from token to token."
      tabIndex={0}
      onPointerOver={point}
      onPointerDown={point}
      onKeyDown={press}
    >
      {body}
    </div>
  );
}

function Section({ title, kind, body }: { title: string; kind: "expert" | "own"; body: ComponentChildren }) {
  return (
    <section class={`said ${kind}`} aria-label={title}>
      <h3>{title}</h3>
      <div class="text">{body}</div>
    </section>
  );
}

interface PieceProps {
  piece: Piece;
  tokens: readonly Token[];
  measure: Measure | null;
  say: (text: string) => string;
  fork: number | null;
}

function PieceOf({ piece: { from, to, paragraph }, tokens, measure, say, fork }: PieceProps) {
  const spans = [];
  for (let i = from; i < to; i += 1) {
    const token = tokens[i]!;
    spans.push(
      <span key={i} data-i={i} class={tintOf(token, measure)}>
        {say(token.text)}
      </span>,
    );
  }
  const parted = fork !== null && from >= fork;
  return (
    <span class={`piece ${paragraph ? "paragraph" : ""} ${parted ? "parted" : ""}`}>
      {from === fork && <b class="fork">differs from here</b>}
      {spans}
    </span>
  );
}

/** Where a key leads; undefined for keys that are not ours. */
function moved(event: KeyboardEvent, at: number | null, count: number, box: HTMLElement): number | null | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey || count === 0) return undefined;
  const step = event.shiftKey ? 10 : 1;
  const here = at ?? -1;
  const keys: Record<string, () => number> = {
    ArrowRight: () => here + step,
    ArrowLeft: () => here - step,
    ArrowDown: () => nextLine(box, here, 1),
    ArrowUp: () => nextLine(box, here, -1),
    Home: () => 0,
    End: () => count - 1,
  };
  if (event.key === "Escape") return at === null ? undefined : null;
  const to = keys[event.key]?.();
  return to === undefined ? undefined : Math.min(count - 1, Math.max(0, to));
}

/** The token above or below: the first of the next line that is not left of where we are. */
function nextLine(box: HTMLElement, from: number, way: 1 | -1): number {
  const place = (i: number): DOMRect | undefined => box.querySelector(`[data-i="${i}"]`)?.getBoundingClientRect();
  const here = place(from);
  if (!here) return from + way;
  let best = from;
  let line: number | null = null;
  for (let i = from + way; ; i += way) {
    const rect = place(i);
    if (!rect || Math.abs(i - from) > 400) return best;
    if (line === null && Math.abs(rect.bottom - here.bottom) > 4) line = rect.bottom;
    if (line === null) continue;
    if (Math.abs(rect.bottom - line) > 4) return best;
    best = i;
    if (way === 1 ? rect.left >= here.left : rect.left <= here.left) return best;
  }
}
