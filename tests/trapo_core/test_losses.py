"""Advantages, gates, the clipped policy loss and token norms, against loops over single numbers."""

import math
from itertools import pairwise
from statistics import fmean, stdev

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trapo_core.losses import (
    expert_gate,
    group_advantages,
    kl_k3,
    policy_loss,
    sequence_means,
    token_norms,
    top_share,
)

REWARDS = [0, 0, 0, 1, 0, 0, 1, 1]
FIRST_FOUR_UNGUIDED = [False] * 4 + [True] * 4
rewards_lists = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=12)


# --------------------------------------------------------------------------------------------------------- advantages


@pytest.mark.parametrize(
    ("options", "wrong", "right"),
    [  # ALGORITHMS 7, V5
        ({}, -0.375, 0.625),
        ({"std": "unbiased"}, -0.72456744, 1.20761240),
        ({"baseline": "unguided", "guided": FIRST_FOUR_UNGUIDED}, -0.25, 0.75),
    ],
)
def test_advantages_have_the_documented_values(options: dict[str, object], wrong: float, right: float) -> None:
    expected = [right if reward else wrong for reward in REWARDS]
    assert group_advantages(REWARDS, **options).tolist() == pytest.approx(expected, abs=5e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize("reward", [0.0, 1.0])
@pytest.mark.parametrize("std", ["none", "unbiased"])
@pytest.mark.parametrize("size", [1, 2, 8])
def test_equal_rewards_teach_nothing(reward: float, std: str, size: int) -> None:
    rewards = [reward] * size
    options = {"guided": [False] * size, "full": [False] * size, "slots": [0] * size}
    for baseline in ("all", "unguided", "exclude_full", "per_slot"):
        assert group_advantages(rewards, baseline, std, **options).tolist() == [0.0] * size  # type: ignore[arg-type]


@given(rewards_lists, st.sampled_from(["none", "unbiased"]), st.data())
def test_advantages_are_those_of_a_loop(rewards: list[float], std: str, data: st.DataObject) -> None:
    masks = st.lists(st.booleans(), min_size=len(rewards), max_size=len(rewards))
    guided, full = data.draw(masks), data.draw(masks)
    slots = data.draw(st.lists(st.integers(0, 3), min_size=len(rewards), max_size=len(rewards)))

    def against(reference: list[float], reward: float) -> float:
        if len(reference) < 2:
            return 0.0
        centred = reward - fmean(reference)
        return centred / (stdev(reference) + 1e-6) if std == "unbiased" else centred

    def kept(mask: list[bool]) -> list[float]:
        return [reward for reward, out in zip(rewards, mask, strict=True) if not out]

    expected = {
        "all": [against(rewards, reward) for reward in rewards],
        "unguided": [against(kept(guided), reward) for reward in rewards],
        "exclude_full": [against(kept(full), reward) for reward in rewards],
        "per_slot": [
            against([r for r, other in zip(rewards, slots, strict=True) if other == slot], reward)
            for reward, slot in zip(rewards, slots, strict=True)
        ],
    }
    for baseline, values in expected.items():
        advantages = group_advantages(rewards, baseline, std, guided=guided, full=full, slots=slots)
        assert advantages.dtype == torch.float64
        assert advantages.tolist() == pytest.approx(values, rel=1e-9, abs=1e-9)


@given(rewards_lists)
def test_without_masks_the_baselines_agree(rewards: list[float]) -> None:
    none, one_slot = [False] * len(rewards), [2] * len(rewards)
    expected = group_advantages(rewards).tolist()
    assert group_advantages(rewards, "unguided", guided=none).tolist() == expected
    assert group_advantages(rewards, "exclude_full", full=none).tolist() == expected
    assert group_advantages(rewards, "per_slot", slots=one_slot).tolist() == expected


@given(rewards_lists, st.sampled_from(["none", "unbiased"]))
def test_over_all_samples_advantages_add_up_to_zero(rewards: list[float], std: str) -> None:
    assert group_advantages(rewards, "all", std).sum().item() == pytest.approx(0.0, abs=1e-9)


def test_rewards_and_masks_may_be_lists_tuples_or_tensors() -> None:
    expected = [0.5, -0.5, 0.5]
    for rewards in ([1, 0, 1], (1.0, 0.0, 1.0), torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1, 0, 1])):
        for guided in (
            [0, 0, 1],
            (False, False, True),
            torch.tensor([False, False, True]),
            torch.tensor([0.0, 0.0, 1.0]),
        ):
            assert group_advantages(rewards, "unguided", guided=guided).tolist() == expected


def test_a_baseline_needs_its_mask_and_a_known_name() -> None:
    for baseline, mask in (("unguided", "guided"), ("exclude_full", "full"), ("per_slot", "slots")):
        with pytest.raises(ValueError, match=f"needs `{mask}`"):
            group_advantages(REWARDS, baseline)
    with pytest.raises(ValueError, match="known: all, unguided"):
        group_advantages(REWARDS, "mean")
    with pytest.raises(ValueError, match="'none' or 'unbiased'"):
        group_advantages(REWARDS, std="biased")


def test_gates_let_through_all_the_advantage_or_its_positive_part() -> None:
    assert [expert_gate("one", a) for a in (-0.5, 0.0, 0.5)] == [1.0, 1.0, 1.0]
    assert [expert_gate("advantage", a) for a in (-0.5, 0.0, 0.5)] == [-0.5, 0.0, 0.5]
    assert [expert_gate("positive_advantage", a) for a in (-0.5, 0.0, 0.5)] == [0.0, 0.0, 0.5]


# -------------------------------------------------------------------------------------------------------- policy loss


def scalar_loss(gap: float, advantage: float, clip: tuple[float, float] | None) -> tuple[float, float]:
    """(-min(r·A, clip(r)·A), its derivative by log p) of one token, r = exp(gap)."""
    ratio = math.exp(gap)
    if clip is None:
        return -advantage * ratio, -advantage * ratio
    clipped = min(max(ratio, 1 - clip[0]), 1 + clip[1])
    if ratio * advantage <= clipped * advantage:
        return -advantage * ratio, -advantage * ratio
    return -advantage * clipped, 0.0


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-2, 2)), min_size=1, max_size=8),
    st.sampled_from([None, (0.2, 0.2), (0.2, 0.28), (1.0, 0.5)]),
)
def test_the_policy_loss_and_its_gradient_are_those_of_a_loop(
    tokens: list[tuple[float, float]], clip: tuple[float, float] | None
) -> None:
    gaps, advantages = zip(*tokens, strict=True)
    old = torch.linspace(-5, -0.1, len(tokens), dtype=torch.float64)
    logp = (old + torch.tensor(gaps, dtype=torch.float64)).requires_grad_()
    loss = policy_loss(logp, old, torch.tensor(advantages, dtype=torch.float64), clip)
    gradient = torch.autograd.grad(loss.sum(), logp)[0].tolist()
    for value, slope, gap, advantage in zip(loss.tolist(), gradient, gaps, advantages, strict=True):
        expected_value, expected_slope = scalar_loss(gap, advantage, clip)
        assert value == pytest.approx(expected_value, rel=1e-9, abs=1e-12)
        at_a_corner = clip is not None and any(abs(math.exp(gap) - edge) < 1e-9 for edge in (1 - clip[0], 1 + clip[1]))
        assert at_a_corner or slope == pytest.approx(expected_slope, rel=1e-9, abs=1e-12)


def test_on_policy_the_gradient_is_minus_the_advantage_clipped_or_not() -> None:
    advantages = torch.tensor([0.625, -0.375])
    for clip in (None, (0.2, 0.2)):
        logp = torch.tensor([-1.0, -2.0], requires_grad=True)
        loss = policy_loss(logp, logp.detach(), advantages, clip)
        assert torch.autograd.grad(loss.sum(), logp)[0].tolist() == pytest.approx([-0.625, 0.375])


def test_clipping_stops_a_token_that_has_moved_far_in_its_direction_only() -> None:
    old = torch.zeros(4)
    logp = torch.tensor([0.5, 0.5, -0.5, -0.5], requires_grad=True)
    loss = policy_loss(logp, old, torch.tensor([1.0, -1.0, 1.0, -1.0]), (0.2, 0.2))
    moves = torch.autograd.grad(loss.sum(), logp)[0] != 0
    assert moves.tolist() == [False, True, True, False]


@given(st.floats(-3, 3), st.floats(-2, 2), st.floats(1.1, 5))
def test_a_dual_clip_bounds_the_loss_where_the_advantage_is_negative_and_only_there(
    gap: float, advantage: float, dual: float
) -> None:
    logp, old = torch.tensor([gap], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    loss = policy_loss(logp, old, torch.tensor([advantage], dtype=torch.float64), (0.2, 0.2), dual).item()
    plain, _ = scalar_loss(gap, advantage, (0.2, 0.2))
    assert loss == pytest.approx(min(plain, -dual * advantage) if advantage < 0 else plain, rel=1e-9, abs=1e-12)


# --------------------------------------------------------------------------------------------------------- divergence


def test_the_mean_of_k3_over_the_policys_samples_is_its_divergence_from_the_reference() -> None:
    p = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    q = torch.tensor([0.1, 0.6, 0.2, 0.1], dtype=torch.float64)
    assert (p * kl_k3(p.log(), q.log())).sum() == pytest.approx((p * (p / q).log()).sum().item(), rel=1e-12)


@given(st.floats(-20, 0), st.floats(-20, 0))
def test_k3_is_never_negative_and_zero_at_the_reference_alone(logp: float, reference: float) -> None:
    value = kl_k3(torch.tensor(logp, dtype=torch.float64), torch.tensor(reference, dtype=torch.float64)).item()
    assert value >= -1e-12
    assert abs(logp - reference) < 1e-3 or value > 1e-7


# --------------------------------------------------------------------------------------------------------- by sequence

tokens_by_sequence = st.lists(st.tuples(st.floats(0, 5), st.integers(0, 4)), min_size=1, max_size=30)


@given(tokens_by_sequence)
def test_every_token_gets_the_mean_of_its_own_sequence(tokens: list[tuple[float, int]]) -> None:
    values, sequences = (torch.tensor(column) for column in zip(*tokens, strict=True))
    means = sequence_means(values.double(), sequences).tolist()
    for (_, sequence), mean in zip(tokens, means, strict=True):
        assert mean == pytest.approx(fmean(v for v, s in tokens if s == sequence), abs=1e-6)


@given(tokens_by_sequence, st.sampled_from([0.01, 0.2, 0.5, 1.0]))
def test_the_top_share_of_each_sequence_are_its_greatest_tokens_the_earlier_first(
    tokens: list[tuple[float, int]], share: float
) -> None:
    values, sequences = (torch.tensor(column) for column in zip(*tokens, strict=True))
    chosen = top_share(values.double(), sequences, share).tolist()
    for sequence in set(sequences.tolist()):
        places = [i for i, (_, s) in enumerate(tokens) if s == sequence]
        best = sorted(places, key=lambda i: (-values[i].item(), i))[: max(1, round(share * len(places)))]
        assert [i for i in places if chosen[i]] == sorted(best)


# -------------------------------------------------------------------------------------------------------------- norms

batches = st.lists(st.lists(st.floats(-2, 2), max_size=6), min_size=1, max_size=8)


@given(batches, st.integers(6, 50), st.data())
def test_weighted_sums_over_any_split_are_the_means_over_the_batch(
    batch: list[list[float]], max_tokens: int, data: st.DataObject
) -> None:
    filled = [tokens for tokens in batch if tokens]
    everything = [value for tokens in batch for value in tokens]
    expected = {
        "const": sum(everything) / (len(batch) * max_tokens),
        "token_mean": fmean(everything) if everything else 0.0,
        "seq_mean": fmean(fmean(tokens) for tokens in filled) if filled else 0.0,
    }
    cuts = sorted(data.draw(st.sets(st.integers(0, len(batch)))) | {0, len(batch)})
    for norm, mean in expected.items():
        weights = token_norms([len(tokens) for tokens in batch], norm, max_tokens=max_tokens)
        sequences = [weight * sum(tokens) for weight, tokens in zip(weights, batch, strict=True)]
        parts = [sum(sequences[start:end]) for start, end in pairwise(cuts)]
        assert sum(parts) == pytest.approx(mean, rel=1e-9, abs=1e-9)


def test_an_empty_sequence_counts_among_the_samples_only_with_const() -> None:
    assert token_norms([2, 0], "const", max_tokens=10) == [1 / 20, 1 / 20]
    assert token_norms([2, 0], "token_mean", max_tokens=10) == [0.5, 0.5]
    assert token_norms([2, 0], "seq_mean", max_tokens=10) == [0.5, 0.0]
    assert token_norms([0, 0], "token_mean", max_tokens=10) == [0.0, 0.0]
    assert token_norms([0, 0], "seq_mean", max_tokens=10) == [0.0, 0.0]


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="known: const, token_mean, seq_mean"):
        token_norms([1], "mean", max_tokens=10)


def test_the_mean_over_responses_counts_tokens_of_others_too() -> None:
    assert token_norms([2, 0], "response_mean", max_tokens=10, response_tokens=8) == [1 / 8, 1 / 8]
    with pytest.raises(ValueError, match="needs response_tokens"):
        token_norms([2], "response_mean", max_tokens=10)
