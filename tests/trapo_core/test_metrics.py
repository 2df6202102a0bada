"""The curves of a step, counted by hand on a few rollouts."""

import math
from typing import Any

import pytest
import torch

from trapo_core.group import Group, Rollout
from trapo_core.kernels import trsft_loss
from trapo_core.knobs import Guidance, Slot
from trapo_core.metrics import TokenFacts, group_metrics, prefix_lengths, slot_outcomes, token_metrics
from trapo_core.tokenized import TokenizedProblem, Trace

GUIDANCE = Guidance(slots=(Slot(n=2), Slot(n=1, when="mean_below", threshold=0.9, ratio=0.5)))
PROBLEM = TokenizedProblem("p", "1", [1], [Trace([2, 3], None)])


def rollout(slot: int, reward: float, *, prefix: int = 0, own: int = 3, **values: Any) -> Rollout:
    usual = {"finish": "stop", "outcome": "right" if reward else "wrong", "sample": 0, "copy": 0}
    tokens = {"prefix_ids": [5] * prefix, "completion_ids": [6] * own, "completion_logps": [-1.0] * own}
    return Rollout(slot=slot, ratio=0.5 if prefix else 0.0, reward=reward, **(tokens | usual | values))


GROUPS = [
    Group(PROBLEM, [rollout(0, 1, own=2), rollout(0, 0, own=4, finish="length"), rollout(1, 1, prefix=4, own=6)]),
    Group(PROBLEM, [rollout(0, 1, own=8), rollout(0, 1, own=10), rollout(1, 1, own=12)]),
]


def test_group_metrics_count_rewards_guidance_and_lengths() -> None:
    metrics = group_metrics(GROUPS, GUIDANCE)
    assert metrics["reward/all"] == pytest.approx(5 / 6)
    assert metrics["reward/unguided"] == 3 / 4  # the first slot alone, not the unguided later one
    assert metrics["reward/guided"] == 1
    assert (metrics["guided/share"], metrics["guided/problems"]) == (pytest.approx(1 / 6), 1 / 2)
    assert (metrics["groups/all_right"], metrics["groups/all_wrong"]) == (1 / 2, 0)
    assert metrics["completion/tokens_mean"] == 7
    assert metrics["completion/truncated_share"] == pytest.approx(1 / 6)
    assert metrics["completion/tokens_p10"] < 4 < 10 < metrics["completion/tokens_p90"]


def test_what_has_no_meaning_has_no_curve() -> None:
    shown = Guidance(slots=(Slot(n=1, when="always", ratio=1.0),))
    full = [Group(PROBLEM, [rollout(0, 1, prefix=2, own=0, finish="expert")])]
    metrics = group_metrics(full, shown)
    assert "reward/unguided" not in metrics
    assert not any(key.startswith("completion/") for key in metrics)  # a whole trace is not the model's own
    assert "reward/guided" not in group_metrics(GROUPS[1:], GUIDANCE)
    assert all(math.isfinite(value) for value in metrics.values())


def test_failed_checks_are_counted_apart_from_wrong_answers() -> None:
    groups = [Group(PROBLEM, [rollout(0, 0, outcome=outcome) for outcome in ("wrong", "error", "timeout", "wrong")])]
    assert group_metrics(groups, GUIDANCE)["reward/check_failures"] == 1 / 2


def test_slot_outcomes_are_sums_so_that_steps_can_be_added() -> None:
    first, second = slot_outcomes(GROUPS, GUIDANCE)
    assert (first.unguided, first.unguided_reward, first.guided, first.guided_reward) == (4, 3, 0, 0)
    assert (second.ratio, second.unguided, second.unguided_reward) == (0.5, 1, 1)
    assert (second.guided, second.guided_reward) == (1, 1)


def test_prefix_lengths_have_the_same_bins_whatever_the_groups() -> None:
    both, one = prefix_lengths(GROUPS, 40), prefix_lengths(GROUPS[1:], 40)
    assert (both.bin_tokens, len(both.counts)) == (one.bin_tokens, len(one.counts)) == (2, 21)
    assert (both.counts[0], both.counts[2]) == (5, 1)
    assert one.counts[0] == 3


def facts(logp: list[float], own: list[bool]) -> TokenFacts:
    size = len(logp)
    return TokenFacts(
        sequence_M=torch.zeros(size, dtype=torch.long),
        logp_M=torch.tensor(logp),
        entropy_M=torch.arange(size, dtype=torch.float32),
        sampler_logp_M=torch.tensor(logp) + 0.25,
        own_M=torch.tensor(own),
    )


def test_token_metrics_keep_own_and_expert_tokens_apart() -> None:
    probabilities = [0.5, 0.9, 0.05, 0.2]
    logp = [math.log(p) for p in probabilities]
    metrics = token_metrics(facts(logp, [True, True, False, False]), alpha=0.1)
    assert metrics["expert/tokens"] == 2
    assert metrics["policy/entropy"] == 0.5
    assert metrics["sampler/logp_gap"] == pytest.approx(0.25)
    assert metrics["expert/p_mean"] == pytest.approx(0.125)
    assert metrics["expert/nll"] == pytest.approx(-(logp[2] + logp[3]) / 2)
    assert metrics["expert/loss"] == pytest.approx(trsft_loss(logp[2:], 0.1).mean().item())
    assert metrics["expert/inside_trust_region"] == 0.5


def test_an_impossible_expert_token_leaves_every_curve_finite() -> None:
    metrics = token_metrics(facts([-math.inf, -1.0], [False, False]))
    assert all(math.isfinite(value) for value in metrics.values())
    assert "policy/entropy" not in metrics


def test_facts_of_micro_batches_join_in_order() -> None:
    parts = [facts([-1.0, -2.0], [True, False]), facts([-3.0], [True])]
    joined = TokenFacts.joined(parts)
    assert joined.logp_M.tolist() == [-1, -2, -3]
    assert joined.own_M.tolist() == [True, False, True]
