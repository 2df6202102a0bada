"""The curves of a step: what the groups say, and what the forward pass says of each token."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles

import torch
from torch import Tensor

from trapo_core.events import PrefixLengths, SlotOutcome
from trapo_core.group import Group, Rollout
from trapo_core.guidance import prefix_histogram
from trapo_core.kernels import LOWEST_LOGP, trsft_loss
from trapo_core.knobs import Guidance
from trapo_core.packing import MicroBatch

Metrics = dict[str, float]
DEFAULT_ALPHA = 0.1


@dataclass(frozen=True)
class TokenFacts:
    """Per target token of a micro-batch, on the CPU: its sequence, log-prob under the trained policy before the
    step, entropy, the sampler's log-prob, and whether it is the model's own."""

    sequence_M: Tensor
    logp_M: Tensor
    entropy_M: Tensor
    sampler_logp_M: Tensor
    own_M: Tensor

    @classmethod
    def of(cls, batch: MicroBatch, logp_M: Tensor, entropy_M: Tensor) -> "TokenFacts":
        columns = (batch.sequence_M, logp_M.detach().float(), entropy_M, batch.sampler_logps_M, batch.own_M)
        return cls(*(column.cpu() for column in columns))

    @classmethod
    def joined(cls, parts: Sequence["TokenFacts"]) -> "TokenFacts":
        return cls(*(torch.cat([vars(part)[name] for part in parts]) for name in cls.__annotations__))

    def where(self, chosen_M: Tensor) -> "TokenFacts":
        return TokenFacts(*(column[chosen_M] for column in vars(self).values()))

    def by_sequence(self, column_M: Tensor) -> dict[int, Tensor]:
        """A column cut by sequence index; each part in the order of its tokens."""
        order = self.sequence_M.argsort(stable=True)
        indices, counts = self.sequence_M[order].unique_consecutive(return_counts=True)
        parts = torch.split(column_M[order], counts.tolist())
        return dict(zip(indices.tolist(), parts, strict=True))


def group_metrics(groups: Sequence[Group], guidance: Guidance) -> Metrics:
    """Rewards, guidance and lengths. A key is absent where it has no meaning."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    own = [rollout for rollout in rollouts if not rollout.full]
    first = [rollout for rollout in rollouts if rollout.slot == 0] if guidance.slots[0].when == "never" else []
    guided = [rollout for rollout in rollouts if rollout.guided]
    metrics = {
        **_mean("reward/all", [rollout.reward for rollout in rollouts]),
        # Later slots that stay unguided are a choice of easier problems; only the first slot measures the model alone.
        **_mean("reward/unguided", [rollout.reward for rollout in first]),
        **_mean("reward/guided", [rollout.reward for rollout in guided]),
        "guided/share": len(guided) / len(rollouts),
        "guided/problems": fmean(any(rollout.guided for rollout in group.rollouts) for group in groups),
        "groups/all_right": fmean(all(rollout.reward == 1 for rollout in group.rollouts) for group in groups),
        "groups/all_wrong": fmean(all(rollout.reward == 0 for rollout in group.rollouts) for group in groups),
        "reward/check_failures": fmean(rollout.outcome in ("error", "timeout") for rollout in rollouts),
    }
    return metrics | _length_metrics(own)


def own_tokens(groups: Sequence[Group]) -> int:
    """Tokens that the model drew for these groups; an engine that speculates draws more."""
    return sum(len(rollout.completion_ids) for group in groups for rollout in group.rollouts)


def _length_metrics(own: Sequence[Rollout]) -> Metrics:
    if not own:
        return {}
    lengths = [len(rollout.completion_ids) for rollout in own]
    deciles = quantiles(lengths, n=10, method="inclusive") if len(lengths) > 1 else [float(lengths[0])] * 9
    return {
        "completion/tokens_mean": fmean(lengths),
        "completion/tokens_p10": deciles[0],
        "completion/tokens_p90": deciles[-1],
        "completion/truncated_share": fmean(rollout.finish == "length" for rollout in own),
    }


def token_metrics(facts: TokenFacts, alpha: float = DEFAULT_ALPHA) -> Metrics:
    """Entropy and mismatch on own tokens; probability, trust region and losses on expert tokens."""
    own, expert = facts.own_M, ~facts.own_M
    metrics: Metrics = {"expert/tokens": float(expert.sum())}
    if own.any():
        gap = facts.logp_M[own] - facts.sampler_logp_M[own]
        metrics["policy/entropy"] = facts.entropy_M[own].mean().item()
        metrics["sampler/logp_gap"] = gap.abs().mean().item()
        metrics["sampler/kl"] = (gap.exp() - gap - 1).mean().item()
    if expert.any():
        logp = facts.logp_M[expert].clamp(min=LOWEST_LOGP)
        metrics["expert/p_mean"] = logp.exp().mean().item()
        metrics["expert/nll"] = -logp.mean().item()
        metrics["expert/loss"] = trsft_loss(logp, alpha).mean().item()
        metrics["expert/inside_trust_region"] = (logp.exp() >= alpha).float().mean().item()
    return metrics


def slot_outcomes(groups: Sequence[Group], guidance: Guidance) -> list[SlotOutcome]:
    """What each slot did over all groups."""
    return [
        _slot_outcome(number, slot.longest_ratio, [r for group in groups for r in group.rollouts if r.slot == number])
        for number, slot in enumerate(guidance.slots)
    ]


def _slot_outcome(number: int, ratio: float, rollouts: Sequence[Rollout]) -> SlotOutcome:
    guided = [rollout.reward for rollout in rollouts if rollout.guided]
    unguided = [rollout.reward for rollout in rollouts if not rollout.guided]
    return SlotOutcome(
        slot=number,
        ratio=ratio,
        guided=len(guided),
        guided_reward=sum(guided),
        unguided=len(unguided),
        unguided_reward=sum(unguided),
    )


def prefix_lengths(groups: Sequence[Group], max_tokens: int) -> PrefixLengths:
    """Histogram of prefix lengths, with the same bins in every step of a run."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    width, counts = prefix_histogram([len(rollout.prefix_ids) for rollout in rollouts], max_tokens)
    rewards = [0.0] * len(counts)
    for rollout in rollouts:
        rewards[-(-len(rollout.prefix_ids) // width)] += rollout.reward
    return PrefixLengths(bin_tokens=width, counts=counts, rewards=rewards)


def _mean(key: str, values: Sequence[float]) -> Metrics:
    return {key: fmean(values)} if values else {}
