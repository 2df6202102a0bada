"""Expert kernels: the detached weight k(p) with which an expert token's log p is learned.

Every method's loss on an expert token has the log-prob gradient -c·k(p); so -c·k(sg p)·log p serves them all
(ALGORITHMS 3.1). `trsft_loss` is the closed form, the one to report. logp = log p, any shape; half precision is
computed in float32, numbers and lists in float64. -inf is allowed: its gradient is 0.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Below this log-prob every kernel but nll is zero to machine precision, and -inf · 0 would be NaN.
LOWEST_LOGP = -1e4

LogProbs = Tensor | Sequence[float] | float


def expert_weight(kernel: str, logp: LogProbs, **params: float) -> Tensor:
    """Detached k(p), same shape as `logp`. Parameters: trsft alpha, shaped gamma.

    Raises ValueError for an unknown kernel, TypeError for a parameter that the kernel does not have.
    """
    if kernel not in KERNELS:
        raise ValueError(f"{kernel!r} is not a kernel; known: {', '.join(KERNELS)}.")
    return KERNELS[kernel](_precise(logp).detach().clamp(min=LOWEST_LOGP), **params)


def expert_loss(kernel: str, logp: LogProbs, **params: float) -> Tensor:
    """-k(sg p)·log p elementwise: the right gradient; its value is a loss only for nll (plot `trsft_loss`)."""
    return -expert_weight(kernel, logp, **params) * _precise(logp).clamp(min=LOWEST_LOGP)


def _precise(logp: LogProbs) -> Tensor:
    if not isinstance(logp, Tensor):
        return torch.as_tensor(logp, dtype=torch.float64)
    return logp if logp.dtype in (torch.float32, torch.float64) else logp.float()


def nll_weight(logp: Tensor) -> Tensor:
    return torch.ones_like(logp)


def trsft_weight(logp: Tensor, alpha: float = 0.1) -> Tensor:
    """min(p/alpha, 1): TRAPO's trust region; alpha = 0 is nll."""
    return torch.ones_like(logp) if alpha == 0 else (logp - math.log(alpha)).clamp(max=0.0).exp()


def dft_weight(logp: Tensor) -> Tensor:
    """p (DFT, arXiv 2508.05629): trsft with alpha = 1."""
    return logp.exp()


def phi_weight(logp: Tensor) -> Tensor:
    """p(1-p) (CHORD, arXiv 2508.11408)."""
    return logp.exp() * -torch.expm1(logp)


def shaped_weight(logp: Tensor, gamma: float = 0.1) -> Tensor:
    """gamma·p/(p+gamma)^2, the derivative of p/(p+gamma) by log p (LUFFY, arXiv 2504.14945)."""
    p = logp.exp()
    return gamma * p / (p + gamma) ** 2


KERNELS: dict[str, Callable[..., Tensor]] = {
    "nll": nll_weight,
    "trsft": trsft_weight,
    "dft": dft_weight,
    "phi": phi_weight,
    "shaped": shaped_weight,
}


def trsft_loss(logp: LogProbs, alpha: float) -> Tensor:
    """TRAPO's trust-region SFT loss in closed form, elementwise (paper section 3; TrSFT).

    -log p where p >= alpha, else -p/alpha + 1 - log alpha: continuous and once differentiable in p, with
    d/d log p = -min(p/alpha, 1), also at p = alpha (-1) and p = 0 (0). alpha = 0 gives -log p. Raises ValueError
    for alpha outside [0, 1].
    """
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha must lie in [0, 1], not {alpha}.")
    logp = _precise(logp)
    if alpha == 0:
        return -logp
    log_alpha = math.log(alpha)
    # Both branches are clamped to where they hold: the dead one must not make 0 · inf in the backward pass.
    # exp of the difference, not exp / alpha: a tiny alpha is 0 in float32.
    inside = logp.clamp(min=log_alpha)
    outside = logp.clamp(max=log_alpha)
    linear = -(outside - log_alpha).exp() + 1 - log_alpha
    return torch.where(logp >= log_alpha, -inside, linear)


def trsft_optimum(p_expert: Sequence[float] | Tensor, alpha: float) -> list[float]:
    """The distribution that minimises the expected TrSFT loss under the expert's (Proposition 1).

    p*(c) = p_E(c)/lam where p_E(c) > alpha·lam, else 0, lam = mass kept. Where no such fixed point exists, the jump
    lies at a level v: lam = v/alpha, and the tokens tied at v share what the kept ones leave, equally here (any split
    of at most alpha each is as good). Raises ValueError unless p_expert is a distribution and 0 <= alpha <= 1.
    """
    expert = torch.as_tensor(p_expert, dtype=torch.float64).tolist()
    if not all(p >= 0 for p in expert) or not math.isclose(math.fsum(expert), 1.0, abs_tol=1e-5):
        raise ValueError("p_expert must be non-negative and sum to 1.")
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha must lie in [0, 1], not {alpha}.")
    # Level by level from the likeliest tokens down: a level is kept whole, is where the jump lies, or is dropped with
    # all below it. The three meet without a step at their borders, so rounding cannot miss the optimum.
    kept = 0.0
    for level in sorted({p for p in expert if p > 0}, reverse=True):
        tied = expert.count(level)
        if level <= alpha * kept:
            break
        if level < alpha * (kept + tied * level):
            mass = level / alpha
            return [p / mass if p > level else (1 - kept / mass) / tied if p == level else 0.0 for p in expert]
        kept += tied * level
        last = level
    return [p / kept if p >= last else 0.0 for p in expert]
