"""Methods are data: a name and the spec values it stands for (ALGORITHMS: one set of knobs).

A spec that says `method: trapo` is filled with these values before validation; whatever the spec sets itself wins.
To add a method, add a row; nothing else in the code knows a method's name.
"""

from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """One row of the comparison. `values` are partial TrainSpec fields; `paper` is an arXiv id or empty."""

    name: str
    summary: str
    paper: str
    values: Values


# ------------------------------------------------------------------------------------------- which samples are guided

# The paper's micro-groups: 4 alone, then 2, 1, 1 samples, guided while the mean reward so far is below the threshold.
TRAPO_SLOTS = [
    {"n": 4, "when": "never"},
    {"n": 2, "when": "mean_below", "threshold": 0.5, "ratio": 0.2},
    {"n": 1, "when": "mean_below", "threshold": 0.7, "ratio": 0.5},
    {"n": 1, "when": "mean_below", "threshold": 0.9, "ratio": 1.0},
]
# The released code counts: fewer than 2 of 4, 4 of 6, 7 of 7 right. Its last slot takes the second trace.
OFFICIAL_SLOTS = [
    {"n": 4, "when": "never"},
    {"n": 2, "when": "mean_below", "threshold": 2 / 4, "ratio": 0.25},
    {"n": 1, "when": "mean_below", "threshold": 4 / 6, "ratio": 0.5},
    {"n": 1, "when": "mean_below", "threshold": 7 / 7, "ratio": 1.0, "trace": 1},
]
UNGUIDED_SLOTS = [{"n": 8, "when": "never"}]
DEMONSTRATION_SLOTS = [{"n": 1, "when": "always", "ratio": 1.0}]
SEVEN_AND_A_TRACE = [{"n": 7, "when": "never"}, {"n": 1, "when": "always", "ratio": 1.0}]

# ------------------------------------------------------------------------------------------------- what is learned how

NLL = {"kernel": "nll", "norm": "token_mean"}
# GRPO as first published (DeepSeekMath): scores by group, clipped ratios, mean over each answer.
CLASSIC = {"std": "unbiased", "clip": [0.2, 0.2], "norm": "seq_mean"}
BOTH_CLIPS = {"clip": [0.2, 0.2], "dual_clip": 3.0, "norm": "response_mean"}
# mu(t) of CHORD falls from .9 to .05 in 200 steps; the policy has the rest.
FALLING = {"shape": "cosine", "start": 0.9, "end": 0.05, "steps": 200}
RISING = {"shape": "cosine", "start": 0.1, "end": 0.95, "steps": 200}


def supervised(kernel: str) -> Values:
    """Whole expert traces and nothing of its own."""
    return {
        "guidance": {"slots": DEMONSTRATION_SLOTS},
        "expert": [{"kernel": kernel, "norm": "token_mean"}],
        "policy": {"weight": 0.0},
    }


SUPERVISED = supervised("nll")


def guided(slots: list[Values], expert: list[Values], policy: Values | None = None, **more: Values) -> Values:
    return {"guidance": {"slots": slots}, "expert": expert, "policy": policy or {}, **more}


_ROWS = [
    Method(
        "trapo",
        "Expert prefixes for problems that still fail; trust-region SFT on the prefix, GRPO on the rest.",
        "2512.17636",
        guided(TRAPO_SLOTS, [{"kernel": "trsft", "alpha": 0.1}]),
    ),
    Method(
        "trapo_official",
        "TRAPO as its released code has it: counts, paragraph cuts, thoughts only, second trace, entropy.",
        "2512.17636",
        {
            "guidance": {"slots": OFFICIAL_SLOTS, "cut": "paragraph", "window": 0.3, "content": "think_only"},
            "expert": [{"kernel": "trsft", "alpha": 0.1}],
            # .001 in the units of the released loss (ALGORITHMS 1.7).
            "policy": {"entropy": 1e-4},
        },
    ),
    Method(
        "grpo",
        "TRAPO's own reinforcement part without any guidance: differs in one knob.",
        "2402.03300",
        guided(UNGUIDED_SLOTS, []),
    ),
    Method(
        "dr_grpo",
        "GRPO without length and std normalisation; its clip of 0.2 never binds with one update a batch.",
        "2503.20783",
        guided(UNGUIDED_SLOTS, [], {"clip": [0.2, 0.2]}),
    ),
    Method("sft", "Negative log-likelihood on whole expert traces, no sampling.", "", SUPERVISED),
    Method("dft", "SFT whose tokens count as much as they are likely.", "2508.05629", supervised("dft")),
    Method("trsft", "TRAPO's trust-region SFT alone, on whole traces.", "2512.17636", supervised("trsft")),
    Method(
        "sft_then_rl",
        "A supervised stage first, then GRPO from its result.",
        "",
        guided(UNGUIDED_SLOTS, [], warm_start={}),
    ),
    Method(
        "rl_sft",
        "Seven own samples by GRPO, one whole trace by SFT (LUFFY's baseline).",
        "2504.14945",
        guided(SEVEN_AND_A_TRACE, [NLL], {"baseline": "unguided"}),
    ),
    Method(
        "luffy",
        "Seven own samples and one whole expert trace; shaped, advantage-weighted loss on the trace.",
        "2504.14945",
        guided(SEVEN_AND_A_TRACE, [{"kernel": "shaped", "gamma": 0.1, "gate": "advantage", "mask": "all"}]),
    ),
    Method(
        "prefix_rft",
        "One of eight samples goes on from a prefix of random length; its most uncertain tokens learn as if sampled.",
        "2507.01679",
        guided(
            [
                {"n": 7, "when": "never"},
                {
                    "n": 1,
                    "when": "always",
                    "ratio": {"draw": "uniform", "low": {"shape": "cosine", "start": 0.95, "end": 0.05}, "high": 0.95},
                },
            ],
            [{"kernel": "ratio", "gate": "advantage", "mask": "all", "top_entropy": 0.2, **BOTH_CLIPS}],
            BOTH_CLIPS,
        ),
    ),
    Method(
        "relift",
        "GRPO; problems that nobody solved are collected, and learned from their traces in steps of their own.",
        "2506.07527",
        guided(UNGUIDED_SLOTS, [NLL], failure_buffer={"size": 128}),
    ),
    Method(
        "srft",
        "Own samples by sign, a whole trace by SFT and by advantage, both weighed by entropy.",
        "2506.19767",
        guided(
            [{"n": 8, "when": "never"}, {"n": 1, "when": "always", "ratio": 1.0}],
            [
                {"kernel": "nll", "weight": 0.5, "entropy_exponent": -1.0, "mask": "all", "norm": "seq_mean"},
                {"kernel": "dft", "gate": "advantage", "baseline": "all", "std": "unbiased", "mask": "all"}
                | {"norm": "seq_mean"},
            ],
            {"kernel": "logp", "baseline": "none", "reward_range": [-1.0, 1.0], "norm": "seq_mean"}
            | {"positive_weight": 0.1, "positive_entropy_exponent": 1.0},
        ),
    ),
    Method(
        "chord_mu",
        "GRPO beside a stream of whole traces, whose weight falls on a schedule.",
        "2508.11408",
        guided(
            UNGUIDED_SLOTS,
            [NLL | {"weight": FALLING}],
            {"weight": RISING, "std": "unbiased", "clip": [0.2, 0.2], "norm": "token_mean"},
            demonstrations={},
        ),
    ),
    Method(
        "chord_phi",
        "GRPO beside a stream of whole traces whose tokens count p(1-p).",
        "2508.11408",
        guided(
            UNGUIDED_SLOTS,
            [{"kernel": "phi", "weight": 0.1, "norm": "token_mean"}],
            {"weight": 0.9, "std": "unbiased", "clip": [0.2, 0.2], "norm": "token_mean"},
            demonstrations={},
        ),
    ),
    Method(
        "hpt",
        "A problem that no sample solved learns from its trace, any other from its samples.",
        "2509.04419",
        guided(UNGUIDED_SLOTS, [NLL], fallback={"right_at_most": 0}),
    ),
    Method(
        "sasr",
        "After a supervised stage each step is supervised or GRPO, by chance, as the supervised gradient shrinks.",
        "2505.13026",
        guided(UNGUIDED_SLOTS, [NLL], CLASSIC | {"kl": 0.04}, warm_start={}, alternate={"gamma": 1.0}),
    ),
    Method(
        "uft",
        "All samples of a problem start from a hint of random length that fades; a small loss on the hint.",
        "2505.16984",
        {
            "guidance": {
                "slots": [
                    {
                        "n": 4,
                        "when": "always",
                        "ratio": {
                            "draw": "chunks",
                            "chunks": 5,
                            "p": {"shape": "cosine", "start": 0.95, "end": 0.05, "steps": 300, "after": 0.0},
                        },
                    }
                ],
                "cut": "line",
                "window": 0.2,
            },
            "expert": [NLL | {"weight": 0.001}],
            "policy": CLASSIC | {"kl": 0.001},
        },
    ),
    Method(
        "bridge_mix",
        "A constant mix of SFT and GRPO: only the ablation of BRIDGE, without its two-level part.",
        "2509.06948",
        guided(UNGUIDED_SLOTS, [NLL | {"weight": 0.5}], {"weight": 0.5}, demonstrations={}),
    ),
    Method(
        "micro_group",
        "TRAPO's schedule with the prefix as context only: no loss on it.",
        "2512.17636",
        guided(TRAPO_SLOTS, []),
    ),
    Method(
        "micro_group_nll",
        "TRAPO's schedule with plain negative log-likelihood on the prefix.",
        "2512.17636",
        guided(TRAPO_SLOTS, [{"kernel": "nll"}]),
    ),
    Method(
        "micro_group_luffy",
        "TRAPO's schedule with LUFFY's shaped loss on the prefix, for positive advantages.",
        "2512.17636",
        guided(TRAPO_SLOTS, [{"kernel": "shaped", "gamma": 0.1, "gate": "positive_advantage"}]),
    ),
]

METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
