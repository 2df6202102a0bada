"""What the rows of `methods.py` are made of: slots, terms of the loss, and how they are put together."""

from typing import Any

Values = dict[str, Any]

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


def guided(
    slots: list[Values], expert: list[Values], policy: Values | None = None, *,
    cut: str = "floor", window: float = 0.3, content: str = "full", **more: Values,
) -> Values:  # fmt: skip
    """Groups of these slots, and what is learned from them; `more` are further fields of the spec."""
    guidance = {"slots": slots, "cut": cut, "window": window, "content": content}
    return {"guidance": guidance, "expert": expert, "policy": policy or {}, **more}
