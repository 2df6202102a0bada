/** One sample as a mark: sign by the reward, square when truncated, a bar for the prefix. */
import { describeSample, type Mark, markOf } from "../../pictures/groups";
import type { GroupSample } from "../../types";

const SIGNS: Record<Mark["sign"], string> = {
  right: "M12.5 11.2l3 3.2 6-6.6",
  wrong: "M13 7l8 8M21 7l-8 8",
  part: "M12.5 11h9",
  unknown: "M14 8.6a3 3 0 1 1 4.4 2.7q-1.4.8-1.4 2M17 15.6v.6",
};

export function MarkPicture({ mark: { sign, cut, ratio } }: { mark: Mark }) {
  return (
    <svg class={`mark-picture ${sign}`} width="34" height="30" viewBox="0 0 34 30" aria-hidden="true">
      <rect x="7.5" y="1.5" width="19" height="19" rx={cut ? 2 : 9.5} class="body" />
      <path d={SIGNS[sign]} class="sign" />
      {ratio > 0 && <rect x="5" y="24" width="24" height="5" rx="1" class="track" />}
      {ratio > 0 && <rect x="5" y="24" width={24 * ratio} height="5" rx="1" class="prefix" />}
    </svg>
  );
}

interface Props {
  sample: GroupSample;
  /** Which pane shows it, if any. */
  pane: "A" | "B" | null;
  tabIndex: number;
  onOpen: () => void;
}

export function SampleMark({ sample, pane, tabIndex, onOpen }: Props) {
  const words = describeSample(sample);
  return (
    <button
      type="button"
      class={`mark ${sample.matches ? "" : "beside-filter"} ${pane ? "open" : ""}`}
      data-rollout={sample.id}
      aria-label={words}
      aria-pressed={pane !== null}
      title={words}
      tabIndex={tabIndex}
      onClick={onOpen}
    >
      <MarkPicture mark={markOf(sample)} />
      <small>{pane ?? (sample.guided ? `${Math.round(sample.ratio * 100)} %` : "\u00a0")}</small>
    </button>
  );
}

const LEGEND: [string, Mark][] = [
  ["right", { sign: "right", cut: false, ratio: 0 }],
  ["wrong", { sign: "wrong", cut: false, ratio: 0 }],
  ["square: truncated", { sign: "wrong", cut: true, ratio: 0 }],
  ["not checked", { sign: "unknown", cut: false, ratio: 0 }],
  ["bar: expert prefix, % of the trace", { sign: "right", cut: false, ratio: 0.5 }],
];

export const MarkLegend = () => (
  <ul class="legend mark-legend" aria-label="Meaning of the marks">
    {LEGEND.map(([words, mark]) => (
      <li key={words}>
        <MarkPicture mark={mark} />
        {words}
      </li>
    ))}
  </ul>
);
