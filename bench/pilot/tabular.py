"""Proposition 1 (arXiv 2512.17636), on tables: does minimising TrSFT's expected loss end where `trsft_optimum` says?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trapo_core.kernels import trsft_loss, trsft_optimum

LEARNING_RATE = 0.05
STEPS = 3000
FIXED_STARTS = ("uniform", "expert")  # and one of random logits for each seed


@dataclass(frozen=True)
class Case:
    """An expert's distribution over a few tokens, and the trust region."""

    name: str
    expert: tuple[float, ...]
    alpha: float

    @property
    def optimum_C(self) -> Tensor:
        return torch.tensor(trsft_optimum(self.expert, self.alpha), dtype=torch.float64)

    @property
    def expert_C(self) -> Tensor:
        return torch.tensor(self.expert, dtype=torch.float64)


CASES = (
    Case("all inside", (0.5, 0.3, 0.2), 0.1),
    Case("one exactly at α", (0.6, 0.3, 0.1), 0.1),
    Case("two dropped", (0.6, 0.3, 0.06, 0.04), 0.1),
    Case("only the mode left", (0.92, 0.05, 0.03), 0.1),
    Case("a jump: one shares", (0.85, 0.09, 0.06), 0.1),
    Case("a jump: two tied share", (0.82, 0.09, 0.09), 0.1),
    Case("all tied", (0.5, 0.5), 0.6),
    Case("α = 1: the mode (DFT)", (0.5, 0.3, 0.2), 1.0),
)


@dataclass(frozen=True)
class Minimised:
    """Where Adam on softmax logits came from R starts."""

    case: Case
    found_R_C: Tensor

    @property
    def distance(self) -> float:
        """Greatest |p − p*| over starts and tokens; tokens that share freely at a jump (0 < p* ≤ α) count as one."""
        optimum_C = self.case.optimum_C
        shares_C = (optimum_C > 0) & (optimum_C <= self.case.alpha)
        gap_R_C = self.found_R_C - optimum_C
        together_R = gap_R_C[:, shares_C].sum(-1)
        return float(torch.cat([gap_R_C[:, ~shares_C].flatten(), together_R]).abs().max())

    @property
    def excess(self) -> float:
        """Greatest expected loss above the optimum's."""
        least = expected_loss(self.case, self.case.optimum_C.log())
        return float((expected_loss(self.case, self.found_R_C.log()) - least).max())


def expected_loss(case: Case, logp: Tensor) -> Tensor:
    """Σ p_E(c) ℓ_α(p(c)) over the last axis."""
    return (case.expert_C * trsft_loss(logp, case.alpha)).sum(-1)


def minimise(case: Case, *, seeds: int, steps: int) -> Minimised:
    """From uniform logits, from the expert's own, and from random ones of each seed; all at once."""
    size = len(case.expert)
    drawn = [torch.randn(size, dtype=torch.float64, generator=_generator(seed)) for seed in range(seeds)]
    logits_R_C = torch.stack([torch.zeros(size, dtype=torch.float64), case.expert_C.log(), *drawn]).requires_grad_()
    optimizer = torch.optim.Adam([logits_R_C], lr=LEARNING_RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        expected_loss(case, logits_R_C.log_softmax(-1)).sum().backward()
        optimizer.step()
    return Minimised(case, logits_R_C.detach().softmax(-1))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
