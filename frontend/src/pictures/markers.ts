/** What happened at a step, marked on the x axis: each kind has a shape of its own, so that colour is never alone. */
import { count } from "../format";

export type MarkerKind = "checkpoint" | "evaluation" | "restart" | "skipped";

export interface Marker {
  step: number;
  kind: MarkerKind;
}

/** `name` in the legend, `said` in the reading; `row` is the height above the axis, so that two of a step both show. */
export const MARKERS: Record<MarkerKind, { name: string; said: string; color: string; row: number }> = {
  checkpoint: { name: "checkpoint", said: "checkpoint saved", color: "ink-3", row: 0 },
  evaluation: { name: "evaluation", said: "evaluated", color: "accent", row: 1 },
  skipped: { name: "step skipped", said: "step skipped", color: "bad", row: 2 },
  restart: { name: "resumed", said: "resumed from here", color: "warn", row: 3 },
};
const ORDER = Object.keys(MARKERS) as MarkerKind[];

export const SIZE = 7;

/** The shape around (x, y) as an SVG path; canvas draws the same string. A restart is a flag on its dashed line. */
export function shapeOf(kind: MarkerKind, x: number, y: number, size = SIZE): string {
  const r = size / 2;
  if (kind === "checkpoint") return `M${x - r} ${y - r}h${size}v${size}h${-size}Z`;
  if (kind === "evaluation") return `M${x} ${y - r}L${x + r} ${y + r}H${x - r}Z`;
  if (kind === "skipped") return `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`;
  return `M${x} ${y - r}L${x + size} ${y}L${x} ${y + r}Z`;
}

/** Crosses have no inside to fill. */
export const isStroke = (kind: MarkerKind): boolean => kind === "skipped";

export const restarts = (steps: readonly number[]): Marker[] => steps.map((step) => ({ step, kind: "restart" }));

export const kindsOf = (markers: readonly Marker[]): MarkerKind[] =>
  ORDER.filter((kind) => markers.some((marker) => marker.kind === kind));

/** Places of what is drawn: where shapes of a kind would overlap, the first stands for them. */
export function placed(markers: readonly Marker[], toX: (step: number) => number, gap = SIZE + 1): [Marker, number][] {
  const last = new Map<MarkerKind, number>();
  const out: [Marker, number][] = [];
  for (const marker of [...markers].sort((a, b) => a.step - b.step)) {
    const x = toX(marker.step);
    if (x - (last.get(marker.kind) ?? -1e9) < gap) continue;
    last.set(marker.kind, x);
    out.push([marker, x]);
  }
  return out;
}

/** What happened in the steps that the point `i` stands for, for the reading: " · checkpoint saved, evaluated". */
export function sayMarkers(markers: readonly Marker[], x: readonly number[], i: number): string {
  const [after, to] = [i > 0 ? x[i - 1]! : Number.NEGATIVE_INFINITY, x[i]!];
  const here = markers.filter(({ step }) => step > after && step <= to);
  const said = kindsOf(here).map((kind) => {
    const times = here.filter((marker) => marker.kind === kind).length;
    return times > 1 ? `${MARKERS[kind].said} (${count(times)})` : MARKERS[kind].said;
  });
  return said.length ? ` · ${said.join(", ")}` : "";
}
