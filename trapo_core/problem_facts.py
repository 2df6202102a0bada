"""What a step says of single problems and of the expert's tokens: the details of a guidance event."""

import math
from collections.abc import Iterable, Sequence

import torch

from trapo_core.data import Problem
from trapo_core.events import ExpertTokens, ProblemOutcomes
from trapo_core.expert_bins import BINS_A_DECADE, LOWEST_DECADE, P_BINS
from trapo_core.group import Group
from trapo_core.knobs import Guidance
from trapo_core.metrics import TokenFacts

SHOWN_CHARACTERS = 280


class ProblemFacts:
    """Says of each step's groups what they needed, and of each problem once how it begins."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._untold = {problem.id: problem.prompt for problem in problems}

    def of(self, groups: Sequence[Group], guidance: Guidance) -> ProblemOutcomes:
        slots = range(len(guidance.slots))
        ids = [group.problem.id for group in groups]
        new = {name: _beginning(self._untold.pop(name)) for name in dict.fromkeys(ids) if name in self._untold}
        return ProblemOutcomes(
            samples=[slot.n for slot in guidance.slots],
            ids=ids,
            ratios=[[_ratio(group, slot) for slot in slots] for group in groups],
            rewards=[[sum(r.reward for r in group.rollouts if r.slot == slot) for slot in slots] for group in groups],
            texts=new,
        )


def expert_tokens(facts: TokenFacts, alpha: float) -> ExpertTokens | None:
    """None where no expert token came before the loss."""
    own = facts.by_sequence(facts.own_M)
    logps = [logp[~own[index]].double() for index, logp in facts.by_sequence(facts.logp_M).items()]
    logp = torch.cat(logps) if logps else torch.empty(0)
    if not len(logp):
        return None
    row = torch.cat([torch.arange(1, len(part) + 1) for part in logps]).log2().floor().long()
    # Room for rounding, so that p = 0.1 is in the bin that begins there.
    place = (logp / math.log(10) - LOWEST_DECADE) * BINS_A_DECADE + 1e-5
    column = place.nan_to_num(nan=0.0).clamp(0, P_BINS - 1).floor().long()
    rows = int(row.max()) + 1
    counts = torch.bincount(row * P_BINS + column, minlength=rows * P_BINS).reshape(rows, P_BINS)
    inside = torch.bincount(row[logp.float().exp() >= alpha], minlength=rows)
    return ExpertTokens(alpha=alpha, counts=counts.tolist(), inside=inside.tolist())


def _ratio(group: Group, slot: int) -> float:
    return round(next((rollout.ratio for rollout in group.rollouts if rollout.slot == slot), 0.0), 4)


def _beginning(text: str) -> str:
    text = text.strip().replace("\0", "").encode("utf-8", "replace").decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
