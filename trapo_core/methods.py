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


# The paper's micro-groups: 4 alone, then 2, 1, 1 samples, guided while the mean reward so far is below the threshold.
TRAPO_SLOTS = [
    {"n": 4, "when": "never"},
    {"n": 2, "when": "mean_below", "threshold": 0.5, "ratio": 0.2},
    {"n": 1, "when": "mean_below", "threshold": 0.7, "ratio": 0.5},
    {"n": 1, "when": "mean_below", "threshold": 0.9, "ratio": 1.0},
]
UNGUIDED_SLOTS = [{"n": 8, "when": "never"}]
DEMONSTRATION_SLOTS = [{"n": 1, "when": "always", "ratio": 1.0}]
SFT_VALUES: Values = {
    "guidance": {"slots": DEMONSTRATION_SLOTS},
    "expert": [{"kernel": "nll", "norm": "token_mean"}],
    "policy": {"weight": 0.0},
}


def _row(name: str, summary: str, paper: str, slots: list[Values], expert: list[Values], **policy: Any) -> Method:
    return Method(name, summary, paper, {"guidance": {"slots": slots}, "expert": expert, "policy": policy})


_ROWS = [
    _row(
        "trapo",
        "Expert prefixes for problems that still fail; trust-region SFT on the prefix, GRPO on the rest.",
        "2512.17636",
        TRAPO_SLOTS,
        [{"kernel": "trsft", "alpha": 0.1}],
    ),
    _row(
        "grpo",
        "TRAPO's own reinforcement part without any guidance: differs in one knob.",
        "2402.03300",
        UNGUIDED_SLOTS,
        [],
    ),
    _row(
        "dr_grpo",
        "GRPO without length and std normalisation; its clip of 0.2 never binds with one update a batch.",
        "2503.20783",
        UNGUIDED_SLOTS,
        [],
        clip=[0.2, 0.2],
    ),
    Method("sft", "Negative log-likelihood on whole expert traces, no sampling.", "", SFT_VALUES),
    Method(
        "sft_then_rl",
        "A supervised stage first, then GRPO from its result.",
        "",
        {"warm_start": {}, "guidance": {"slots": UNGUIDED_SLOTS}, "expert": [], "policy": {}},
    ),
    _row(
        "luffy",
        "Seven own samples and one whole expert trace; shaped, advantage-weighted loss on the trace.",
        "2504.14945",
        [{"n": 7, "when": "never"}, {"n": 1, "when": "always", "ratio": 1.0}],
        [{"kernel": "shaped", "gamma": 0.1, "gate": "advantage", "mask": "all"}],
    ),
    _row(
        "micro_group", "TRAPO's schedule with the prefix as context only: no loss on it.", "2512.17636", TRAPO_SLOTS, []
    ),
    _row(
        "micro_group_nll",
        "TRAPO's schedule with plain negative log-likelihood on the prefix.",
        "2512.17636",
        TRAPO_SLOTS,
        [{"kernel": "nll"}],
    ),
    _row(
        "micro_group_luffy",
        "TRAPO's schedule with LUFFY's shaped loss on the prefix, for positive advantages.",
        "2512.17636",
        TRAPO_SLOTS,
        [{"kernel": "shaped", "gamma": 0.1, "gate": "positive_advantage"}],
    ),
]

METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
