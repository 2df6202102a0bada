"""Methods are data: a name and the spec values it stands for (ALGORITHMS: one set of knobs).

A spec that says `method: trapo` is filled with these values before validation; whatever the spec sets itself wins.
To add a method, add a row; nothing else in the code knows a method's name. `docs/methods.md` has them as a table.
"""

from dataclasses import dataclass

from trapo_core.method_parts import (
    BOTH_CLIPS,
    CLASSIC,
    FALLING,
    NLL,
    OFFICIAL_SLOTS,
    RISING,
    SEVEN_AND_A_TRACE,
    TRAPO_SLOTS,
    UNGUIDED_SLOTS,
    Values,
    guided,
    supervised,
)


@dataclass(frozen=True)
class Method:
    """One row of the comparison. `paper` is an arXiv id or empty; `choices` is what its sources leave open, and
    what is taken here; `values` are partial TrainSpec fields."""

    name: str
    summary: str
    paper: str
    choices: str
    values: Values


SUPERVISED = supervised("nll")

_ROWS = [
    Method(
        "trapo",
        "Expert prefixes for problems that still fail; trust-region SFT on the prefix, GRPO on the rest.",
        "2512.17636",
        "Guided below a threshold, not at it; the first trace in all slots, cut at any token; no KL, no entropy bonus.",
        guided(TRAPO_SLOTS, [{"kernel": "trsft", "alpha": 0.1}]),
    ),
    Method(
        "trapo_official",
        "TRAPO as its released code has it: counts, paragraph cuts, thoughts only, second trace, entropy.",
        "2512.17636",
        "The entropy bonus of .001 is 1e-4 here, where the loss is a mean and not a sum.",
        guided(
            OFFICIAL_SLOTS,
            [{"kernel": "trsft", "alpha": 0.1}],
            {"entropy": 1e-4},
            cut="paragraph",
            window=0.3,
            content="think_only",
        ),
    ),
    Method(
        "grpo",
        "TRAPO's own reinforcement part without any guidance: differs in one knob.",
        "2402.03300",
        "TRAPO's paper gives its GRPO no settings: no std, no clip, no KL, as in TRAPO.",
        guided(UNGUIDED_SLOTS, []),
    ),
    Method(
        "dr_grpo",
        "GRPO without length and std normalisation; its clip of 0.2 never binds with one update a batch.",
        "2503.20783",
        "",
        guided(UNGUIDED_SLOTS, [], {"clip": [0.2, 0.2]}),
    ),
    Method(
        "sft",
        "Negative log-likelihood on whole expert traces, no sampling.",
        "",
        "One trace of each problem, the first; mean over all target tokens of the whole batch.",
        SUPERVISED,
    ),
    Method(
        "dft",
        "SFT whose tokens count as much as they are likely.",
        "2508.05629",
        "",
        supervised("dft"),
    ),
    Method(
        "trsft",
        "TRAPO's trust-region SFT alone, on whole traces.",
        "2512.17636",
        "No row of the paper's tables; mean over all target tokens, as in SFT.",
        supervised("trsft"),
    ),
    Method(
        "sft_then_rl",
        "A supervised stage first, then GRPO from its result.",
        "",
        "Both stages on the same problems; LUFFY takes others for the second.",
        guided(UNGUIDED_SLOTS, [], warm_start={}),
    ),
    Method(
        "rl_sft",
        "Seven own samples by GRPO, one whole trace by SFT (LUFFY's baseline).",
        "2504.14945",
        "The policy's mean is over all eight samples, the trace too.",
        guided(SEVEN_AND_A_TRACE, [NLL], {"baseline": "unguided"}),
    ),
    Method(
        "luffy",
        "Seven own samples and one whole expert trace; shaped, advantage-weighted loss on the trace.",
        "2504.14945",
        "One update a batch where the source makes two; no entropy bonus.",
        guided(SEVEN_AND_A_TRACE, [{"kernel": "shaped", "gamma": 0.1, "gate": "advantage", "mask": "all"}]),
    ),
    Method(
        "prefix_rft",
        "One of eight samples goes on from a prefix of random length; its most uncertain tokens learn as if sampled.",
        "2507.01679",
        "A fifth of each prefix, rounded, one token at least; the mean counts the other prefix tokens too.",
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
        "A full buffer gives its first 128 problems and drops the rest; no entropy bonus.",
        guided(UNGUIDED_SLOTS, [NLL], failure_buffer={"size": 128}),
    ),
    Method(
        "srft",
        "Own samples by sign, a whole trace by SFT and by advantage, both weighed by entropy.",
        "2506.19767",
        "The paper's equations, not its code; log-probs as means over tokens, then over traces, over own samples.",
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
        "The stream is 32 problems a step of the training data, in an order of its own.",
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
        "The stream as in chord_mu.",
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
        "Each of the two means is over what it learns from: samples of solved problems, tokens of shown traces.",
        guided(UNGUIDED_SLOTS, [NLL], fallback={"right_at_most": 0}),
    ),
    Method(
        "sasr",
        "After a supervised stage each step is supervised or GRPO, by chance, as the supervised gradient shrinks.",
        "2505.13026",
        "KL weight .04 and gamma 1 are not given; one optimizer for both; scores against the group's mean.",
        guided(UNGUIDED_SLOTS, [NLL], CLASSIC | {"kl": 0.04}, warm_start={}, alternate={"gamma": 1.0}),
    ),
    Method(
        "uft",
        "All samples of a problem start from a hint of random length that fades; a small loss on the hint.",
        "2505.16984",
        "Chunks are fifths of the trace's tokens, cut at the end of a line; all five leave the end token to sample.",
        guided(
            [
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
            [NLL | {"weight": 0.001}],
            CLASSIC | {"kl": 0.001},
            cut="line",
            window=0.2,
        ),
    ),
    Method(
        "bridge_mix",
        "A constant mix of SFT and GRPO: only the ablation of BRIDGE, without its two-level part.",
        "2509.06948",
        "Half and half; the traces are a stream as in chord_mu.",
        guided(UNGUIDED_SLOTS, [NLL | {"weight": 0.5}], {"weight": 0.5}, demonstrations={}),
    ),
    Method(
        "micro_group",
        "TRAPO's schedule with the prefix as context only: no loss on it.",
        "2512.17636",
        "",
        guided(TRAPO_SLOTS, []),
    ),
    Method(
        "micro_group_nll",
        "TRAPO's schedule with plain negative log-likelihood on the prefix.",
        "2512.17636",
        "Coefficient and denominator as in TRAPO.",
        guided(TRAPO_SLOTS, [{"kernel": "nll"}]),
    ),
    Method(
        "micro_group_luffy",
        "TRAPO's schedule with LUFFY's shaped loss on the prefix, for positive advantages.",
        "2512.17636",
        "The gate max(A, 0) is read from the name of the released experiment.",
        guided(TRAPO_SLOTS, [{"kernel": "shaped", "gamma": 0.1, "gate": "positive_advantage"}]),
    ),
]

METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
