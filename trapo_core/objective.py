"""The loss of a micro-batch: the terms that a spec names, each token with the weight that `batch.py` gave it.

Parts add up to the whole whatever the split: every mean was taken before, over the whole batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trapo_core.kernels import expert_loss
from trapo_core.knobs import ExpertTerm, PolicyTerm
from trapo_core.losses import kl_k3, policy_loss, sequence_means, top_share
from trapo_core.packing import MicroBatch


def batch_loss(
    batch: MicroBatch, logp_M: Tensor, entropy_M: Tensor, policy: PolicyTerm, expert: Sequence[ExpertTerm]
) -> Tensor:
    """The part of the loss that this micro-batch holds. logp_M, entropy_M: of the targets, with gradient."""
    # With one update a batch the log-probs before the step are these: the ratio is 1, its gradient is what counts.
    old_logp_M = logp_M.detach() if batch.old_logps_M is None else batch.old_logps_M
    loss = _own_loss(batch, logp_M, old_logp_M, entropy_M, policy)
    for term, weight_M in zip(expert, batch.expert_K_M, strict=True):
        loss = loss + _expert_loss(batch, term, weight_M, logp_M, old_logp_M, entropy_M)
    if policy.entropy:
        loss = loss - (entropy_M * batch.entropy_M).sum()
    return loss


def _own_loss(batch: MicroBatch, logp_M: Tensor, old_logp_M: Tensor, entropy_M: Tensor, policy: PolicyTerm) -> Tensor:
    """w·(-A·r), or -w·A·log p with kernel logp, over the model's own tokens; and its divergence from the reference."""
    own = batch.own_M
    logp_O, old_logp_O, advantage_O, weight_O = (
        logp_M[own],
        old_logp_M[own],
        batch.advantage_M[own],
        batch.policy_M[own],
    )
    if policy.positive_entropy_exponent:
        entropy_O = sequence_means(entropy_M.detach()[own], batch.sequence_M[own])
        scale_O = (policy.positive_entropy_exponent * entropy_O).exp()
        weight_O = torch.where(advantage_O > 0, weight_O * scale_O, weight_O)
    if policy.truncated_importance is not None:
        drift_O = (old_logp_O.detach() - batch.sampler_logps_M[own]).exp()
        weight_O = weight_O * drift_O.clamp(max=policy.truncated_importance)
    if policy.kernel == "logp":
        loss_O = -advantage_O * logp_O
    else:
        loss_O = policy_loss(logp_O, old_logp_O, advantage_O, policy.clip, policy.dual_clip)
    loss = (loss_O * weight_O).sum()
    if batch.reference_logps_M is not None:
        loss = loss + (kl_k3(logp_O, batch.reference_logps_M[own]) * batch.kl_M[own]).sum()
    return loss


def _expert_loss(
    batch: MicroBatch, term: ExpertTerm, weight_M: Tensor, logp_M: Tensor, old_logp_M: Tensor, entropy_M: Tensor
) -> Tensor:
    """-w·k(p)·log p over the tokens that the term learns; kernel ratio treats them as if they had been sampled."""
    learned = weight_M != 0
    logp_E, weight_E, sequence_E = logp_M[learned], weight_M[learned], batch.sequence_M[learned]
    entropy_E = entropy_M.detach()[learned]
    if term.entropy_exponent:
        weight_E = weight_E * (term.entropy_exponent * sequence_means(entropy_E, sequence_E)).exp()
    if term.top_entropy is not None:
        weight_E = weight_E * top_share(entropy_E, sequence_E, term.top_entropy)
    if term.kernel == "ratio":
        return policy_loss(logp_E, old_logp_M[learned], weight_E, term.clip, term.dual_clip).sum()
    return (expert_loss(term.kernel, logp_E, **term.kernel_params) * weight_E).sum()
