"""What is known of each token of a rollout, as columns: probability, entropy, and the weight of the expert kernel."""

import math
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

from trapo_core.knobs import ExpertTerm
from trapo_core.spec import EvalSpec, TrainSpec

# k(p) of `trapo_core/kernels.py`, which is torch's; a test holds the two together.
KERNELS: dict[str, Callable[[float, ExpertTerm], float]] = {
    "nll": lambda p, term: 1.0,  # noqa: ARG005
    "trsft": lambda p, term: 1.0 if term.alpha == 0 else min(p / term.alpha, 1.0),
    "dft": lambda p, term: p,  # noqa: ARG005
    "phi": lambda p, term: p * (1 - p),  # noqa: ARG005
    "shaped": lambda p, term: term.gamma * p / (p + term.gamma) ** 2,
}


def token_facts(row: dict[str, Any], spec: TrainSpec | EvalSpec) -> dict[str, list[Any]]:
    """Columns of equal length, one entry a response token, prefix first; null where the file does not say."""
    p = [None if logp is None else math.exp(logp) for logp in row["logps"]]
    prefix = row["prefix_tokens"]
    term = expert_term(spec, row["step"])
    kernel = KERNELS.get(term.kernel) if term else None
    weights = [None if kernel is None or term is None or x is None else kernel(x, term) for x in p[:prefix]]
    return {
        "token_ids": row["token_ids"],
        "texts": token_texts(row),
        "guided": [place < prefix for place in range(len(p))],
        "p": p,
        "kernel_weights": weights + [None] * (len(p) - len(weights)),
        "advantages": [None if place < prefix else row["advantage"] for place in range(len(p))],
        "entropies": row["entropies"],
    }


def token_texts(row: dict[str, Any]) -> list[str] | None:
    """What each token says; files of older versions do not tell."""
    if (lengths := row.get("lengths")) is None:
        return None
    text, ends = row["prefix"] + row["completion"], list(accumulate(lengths, initial=0))
    return [text[begin:end] for begin, end in pairwise(ends)]


def expert_term(spec: TrainSpec | EvalSpec, step: int) -> ExpertTerm | None:
    """The first expert loss of the stage that this step (counted from 1) belongs to."""
    if isinstance(spec, EvalSpec):
        return None
    end = 0
    for stage in spec.stages():
        end += stage.steps
        if step <= end:
            return stage.expert[0] if stage.expert else None
    return None
