/** The panels of the overview. To add one is to add a row. */
import { compact, decimal, percent } from "./format";

export interface Curve {
  key: string;
  label: string;
  color: string;
  dash?: number[];
}

/** Lines over steps in one frame. `levels` and `scores` are not series: they are made of what the run said otherwise. */
export interface Plot {
  title: string;
  source: "series" | "levels" | "scores";
  curves: Curve[];
  /** Keys of the lower and upper edge of a band around the first curve. */
  band?: { low: string; high: string; name: string };
  /** The highest value there can be: shares end at 1, unless one is above. */
  top?: 1;
  format: (value: number | null | undefined) => string;
}

export interface Panel {
  title: string;
  file: string;
  /** The heat map of prefix levels above the plots. */
  map?: boolean;
  /** A series that counts steps which are marked on the axis. */
  marks?: string;
  plots: Plot[];
  /** Where there is more of it: a part of the run's page. */
  part?: { path: string; title: string };
}

const DASH = [10, 4];
const DOTS = [3, 3];
const share = (value: number | null | undefined): string => percent(value);
const tokens = (value: number | null | undefined): string => decimal(value, value != null && value < 100 ? 1 : 0);

export const PANELS: Panel[] = [
  {
    title: "Reward",
    file: "reward",
    plots: [
      {
        title: "Unguided reward",
        source: "series",
        curves: [{ key: "reward/unguided", label: "unguided reward", color: "run-a" }],
        top: 1,
        format: decimal,
      },
      { title: "Reward by level", source: "levels", curves: [], top: 1, format: share },
    ],
  },
  {
    title: "Benchmark scores",
    file: "scores",
    plots: [{ title: "", source: "scores", curves: [], top: 1, format: share }],
    part: { path: "evaluations", title: "Evaluations" },
  },
  {
    title: "Completion length",
    file: "completion-length",
    plots: [
      {
        title: "Sampled tokens a completion",
        source: "series",
        curves: [{ key: "completion/tokens_mean", label: "mean", color: "run-a" }],
        band: { low: "completion/tokens_p10", high: "completion/tokens_p90", name: "p10 to p90" },
        format: tokens,
      },
      {
        title: "Completions without an end",
        source: "series",
        curves: [{ key: "completion/truncated_share", label: "truncated share", color: "level-3" }],
        top: 1,
        format: share,
      },
    ],
  },
  {
    title: "Guidance",
    file: "guidance",
    map: true,
    plots: [
      {
        title: "Guided share of samples",
        source: "series",
        curves: [{ key: "guided/share", label: "guided share", color: "run-a" }],
        top: 1,
        format: share,
      },
    ],
    part: { path: "guidance", title: "Guidance" },
  },
  {
    title: "Entropy",
    file: "entropy",
    plots: [
      {
        title: "Entropy of own tokens, nats",
        source: "series",
        curves: [{ key: "policy/entropy", label: "entropy", color: "run-a" }],
        format: compact,
      },
      {
        title: "Sampler against trainer",
        source: "series",
        curves: [{ key: "sampler/kl", label: "KL(sampler ‖ trainer)", color: "level-3" }],
        format: compact,
      },
    ],
  },
  {
    title: "Expert tokens",
    file: "expert-tokens",
    plots: [
      {
        title: "",
        source: "series",
        curves: [
          { key: "expert/p_mean", label: "mean probability", color: "run-a" },
          { key: "expert/inside_trust_region", label: "inside the trust region", color: "level-2", dash: DASH },
        ],
        top: 1,
        format: share,
      },
    ],
    part: { path: "guidance", title: "Guidance" },
  },
  {
    title: "Gradient norm",
    file: "gradient-norm",
    marks: "steps/skipped",
    plots: [
      {
        title: "",
        source: "series",
        curves: [{ key: "policy/grad_norm", label: "norm before clipping", color: "run-a" }],
        format: compact,
      },
    ],
  },
  {
    title: "Speed",
    file: "speed",
    plots: [
      {
        title: "Trained response tokens a second",
        source: "series",
        curves: [{ key: "throughput/tokens_per_s", label: "tokens/s", color: "run-a" }],
        format: compact,
      },
      {
        title: "Seconds of a step",
        source: "series",
        curves: [
          { key: "time/step_s", label: "whole step", color: "ink-3" },
          { key: "time/rollout_s", label: "rollout", color: "run-a", dash: DASH },
          { key: "time/reward_s", label: "reward", color: "level-2", dash: DOTS },
          { key: "time/update_s", label: "update", color: "level-3", dash: [10, 3, 2, 3] },
        ],
        format: compact,
      },
    ],
  },
];

export const keysOf = (panel: Panel): string[] => [
  ...panel.plots.flatMap(({ curves, band }) => [
    ...curves.map(({ key }) => key),
    ...(band ? [band.low, band.high] : []),
  ]),
  ...(panel.marks ? [panel.marks] : []),
];
