"""Advantages and the terms of the loss; plain functions on tensors. Shapes: G samples of a group, T tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor

STD_EPS = 1e-6


def group_advantages(
    rewards: Sequence[float] | Tensor,
    baseline: str = "all",
    std: str = "none",
    guided: Sequence[bool] | Tensor | None = None,
    full: Sequence[bool] | Tensor | None = None,
    slots: Sequence[int] | Tensor | None = None,
) -> Tensor:
    """A_G = R_G - baseline, float64; with std="unbiased" divided by (unbiased std + 1e-6) of the same samples.

    baseline: "all" samples of the group | "unguided" ones only | "exclude_full" (all but full-prefix ones) |
    "per_slot" (each slot its own) | "none": A_G = R_G. A baseline over fewer than two samples gives A = 0 there: a
    sample cannot be compared with itself. `guided`, `full`, `slots` (G each) are needed by the baselines that name
    them.
    Raises ValueError for unknown words or a missing mask.
    """
    rewards_G = torch.as_tensor(rewards, dtype=torch.float64)
    if std not in ("none", "unbiased"):
        raise ValueError(f"std is 'none' or 'unbiased', not {std!r}.")
    if baseline == "none":
        return rewards_G
    if baseline == "per_slot":
        slots_G = _needed(slots, "slots", baseline)
        advantages_G = torch.zeros_like(rewards_G)
        for slot in slots_G.unique():
            member_G = slots_G == slot
            advantages_G[member_G] = _against(rewards_G[member_G], rewards_G[member_G], std)
        return advantages_G
    if baseline == "all":
        reference_G = torch.ones_like(rewards_G, dtype=torch.bool)
    elif baseline == "unguided":
        reference_G = ~_needed(guided, "guided", baseline).bool()
    elif baseline == "exclude_full":
        reference_G = ~_needed(full, "full", baseline).bool()
    else:
        raise ValueError(f"{baseline!r} is not a baseline; known: all, unguided, exclude_full, per_slot, none.")
    return _against(rewards_G, rewards_G[reference_G], std)


def _against(rewards: Tensor, reference: Tensor, std: str) -> Tensor:
    if len(reference) < 2:
        return torch.zeros_like(rewards)
    centred = rewards - reference.mean()
    return centred / (reference.std() + STD_EPS) if std == "unbiased" else centred


def _needed(mask: Sequence[bool] | Sequence[int] | Tensor | None, name: str, baseline: str) -> Tensor:
    if mask is None:
        raise ValueError(f"baseline {baseline!r} needs `{name}`, one value for each sample.")
    return torch.as_tensor(mask)


def expert_gate(gate: str, advantage: float) -> float:
    """The factor of an expert term that depends on the sample's advantage."""
    gates = {"one": 1.0, "advantage": advantage, "positive_advantage": max(advantage, 0.0)}
    return gates[gate]


def policy_loss(
    logp_T: Tensor,
    old_logp_T: Tensor,
    advantage_T: Tensor,
    clip: tuple[float, float] | None = None,
    dual_clip: float | None = None,
) -> Tensor:
    """-A·r for each token, r = exp(logp - old_logp) (GRPO, arXiv 2402.03300); with clip = (low, high) the pessimistic
    minimum of r·A and clamp(r, 1-low, 1+high)·A; with dual_clip = c at most c·|A| where A < 0 (arXiv 1912.09729).
    Weights and means are the caller's; a positive factor in A comes out as it went in."""
    ratio_T = (logp_T - old_logp_T).exp()
    if clip is None:
        return -advantage_T * ratio_T
    low, high = clip
    loss_T = -torch.minimum(ratio_T * advantage_T, ratio_T.clamp(1 - low, 1 + high) * advantage_T)
    if dual_clip is None:
        return loss_T
    return torch.where(advantage_T < 0, torch.minimum(loss_T, -advantage_T * dual_clip), loss_T)


def kl_k3(logp_T: Tensor, reference_logp_T: Tensor) -> Tensor:
    """Estimate of KL(policy ‖ reference) at sampled tokens, never negative: q/p - log(q/p) - 1 (Schulman's k3)."""
    gap_T = reference_logp_T - logp_T
    return gap_T.exp() - gap_T - 1


def sequence_means(values_M: Tensor, sequence_M: Tensor) -> Tensor:
    """For each token the mean of `values_M` over the tokens of its sequence."""
    _, place_M = sequence_M.unique(return_inverse=True)
    sums = values_M.new_zeros(int(place_M.max()) + 1 if len(place_M) else 0)
    counts = sums.index_add(0, place_M, torch.ones_like(values_M))
    return (sums.index_add(0, place_M, values_M) / counts)[place_M]


def top_share(values_M: Tensor, sequence_M: Tensor, share: float) -> Tensor:
    """Which tokens are among the greatest `share` (at least one) of their own sequence; ties go to the earlier."""
    chosen_M = torch.zeros_like(values_M, dtype=torch.bool)
    for sequence in sequence_M.unique():
        places = (sequence_M == sequence).nonzero().squeeze(1)
        count = max(1, round(share * len(places)))
        order = values_M[places].argsort(descending=True, stable=True)
        chosen_M[places[order[:count]]] = True
    return chosen_M


def token_norms(
    lengths: Sequence[int], norm: str, *, max_tokens: int, response_tokens: int | None = None
) -> list[float]:
    """What one token of each sequence counts, so that weighted sums over any micro-batch split add up to the mean.

    const: 1/(B·max_tokens) | token_mean: 1/(all tokens) | seq_mean: 1/(B'·own length), B' = sequences with tokens |
    response_mean: 1/response_tokens, prefix and own ones of the whole batch.
    B counts all sequences given, those of length 0 too (ALGORITHMS 1.7).
    """
    total, filled = sum(lengths), sum(length > 0 for length in lengths)
    if norm == "response_mean":
        if not response_tokens:
            raise ValueError("response_mean needs response_tokens, at least 1.")
        return [1 / response_tokens] * len(lengths)
    if norm == "const":
        return [1 / (len(lengths) * max_tokens)] * len(lengths)
    if norm == "token_mean":
        return [1 / total if total else 0.0] * len(lengths)
    if norm == "seq_mean":
        return [1 / (filled * length) if length else 0.0 for length in lengths]
    raise ValueError(f"{norm!r} is not a norm; known: const, token_mean, seq_mean, response_mean.")
