"""The batch: weights of a whole step against an independent float64 loop, and the same gradient for any split."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trapo_core.batch import TokenSequence, build_sequences
from trapo_core.group import Group, Rollout
from trapo_core.kernels import expert_weight
from trapo_core.knobs import ExpertTerm
from trapo_core.model import Policy
from trapo_core.objective import batch_loss
from trapo_core.packing import MicroBatch, collate, pack, packing_fill, split
from trapo_core.stage import Stage
from trapo_core.tokenized import TokenizedProblem, Trace
from trapo_core.update import Packing, batch_gradients

from .conftest import small_spec

MAX_TOKENS = 8


def rollout(slot: int, ratio: float, prefix: list[int], own: list[int], reward: float, copy: int = 0) -> Rollout:
    return Rollout(
        slot=slot, sample=copy, ratio=ratio, copy=copy, prefix_ids=prefix, completion_ids=own,
        completion_logps=[-1.0] * len(own), finish="stop" if own else "expert", reward=reward,
        outcome="right" if reward else "wrong",
    )  # fmt: skip


def two_groups() -> list[Group]:
    """A hard problem with every kind of sample, and an easy one, over a vocabulary of three tokens."""
    trace = [2, 1, 0, 2, 1]
    hard = [
        rollout(0, 0.0, [], [0, 1], 0.0), rollout(0, 0.0, [], [1], 1.0), rollout(0, 0.0, [], [2, 2, 0], 0.0),
        rollout(0, 0.0, [], [0], 0.0), rollout(1, 0.2, trace[:1], [1, 0], 0.0, copy=0),
        rollout(1, 0.2, trace[:1], [2], 1.0, copy=1), rollout(2, 0.5, trace[:2], [0, 0], 0.0),
        rollout(3, 1.0, trace, [], 1.0),
    ]  # fmt: skip
    easy = [rollout(slot, 0.0, [], [slot % 3], float(slot != 1), copy=0) for slot in (0, 0, 0, 0, 1, 1, 2, 3)]
    return [
        Group(TokenizedProblem("hard", "1", [0, 2], [Trace(trace, None)]), hard),
        Group(TokenizedProblem("easy", "1", [1], [Trace(trace, None)]), easy),
    ]


def stage_of(method: str, **changes: Any) -> Stage:
    return small_spec(method=method, **changes).stages()[-1]


def kernel(name: str, p: float) -> float:
    """k(p), written down once more."""
    kernels = {"nll": 1.0, "trsft": min(p / 0.1, 1.0), "dft": p, "phi": p * (1 - p), "shaped": 0.1 * p / (p + 0.1) ** 2}
    return kernels[name]


def naive_gradient(
    groups: Sequence[Group], logits: list[list[float]], terms: Sequence[ExpertTerm]
) -> list[list[float]]:
    """d loss / d logits of a bigram model, by plain loops: each own token adds A/(B·Lmax)·(softmax - onehot), each
    expert token its weight·k(p) of the same."""
    gradient = [[0.0] * 3 for _ in range(3)]
    samples = sum(len(group.rollouts) for group in groups)
    for group in groups:
        mean = sum(r.reward for r in group.rollouts) / len(group.rollouts)
        for r in group.rollouts:
            advantage = r.reward - mean
            response = r.prefix_ids + r.completion_ids
            previous = group.problem.prompt_ids[-1]
            for place, token in enumerate(response):
                normaliser = sum(math.exp(z) for z in logits[previous])
                p = [math.exp(z) / normaliser for z in logits[previous]]
                if place >= len(r.prefix_ids):
                    weight = advantage
                else:
                    gates = {"one": 1.0, "advantage": advantage, "positive_advantage": max(advantage, 0.0)}
                    weight = sum(
                        gates[t.gate] * kernel(t.kernel, p[token]) for t in terms if not (t.mask == "dedupe" and r.copy)
                    )
                for column in range(3):
                    step = p[column] - (column == token)
                    gradient[previous][column] += weight * step / (samples * MAX_TOKENS)
                previous = token
    return gradient


@pytest.mark.parametrize("method", ["trapo", "grpo", "luffy", "micro_group", "micro_group_nll", "micro_group_luffy"])
def test_the_whole_loss_has_the_gradient_of_a_plain_float64_loop(method: str) -> None:
    stage = stage_of(method)
    logits = [[0.3, -1.2, 0.8], [1.5, -2.5, 0.1], [-0.7, 0.2, -3.0]]
    table = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    sequences = build_sequences(two_groups(), stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    batch = collate(sequences, temperature=1.0)
    previous_M = batch.ids_N[batch.place_M]
    logp_M = table[previous_M].log_softmax(-1).gather(1, batch.targets_M[:, None]).squeeze(1)
    batch_loss(batch, logp_M, torch.zeros_like(logp_M), stage.policy, stage.expert).backward()
    expected = torch.tensor(naive_gradient(two_groups(), logits, stage.expert), dtype=torch.float64)
    torch.testing.assert_close(table.grad, expected, atol=1e-8, rtol=1e-6)


def world_groups(policy: Policy) -> list[Group]:
    """Groups of unequal lengths over the small world's vocabulary."""
    rng = random.Random(0)

    def tokens(count: int) -> list[int]:
        return [rng.randrange(1, len(policy.tokenizer)) for _ in range(count)]

    groups = []
    for number in range(3):
        trace = tokens(8)
        rollouts = [rollout(0, 0.0, [], tokens(rng.randint(1, 9)), float(rng.random() < 0.4)) for _ in range(4)]
        rollouts += [rollout(1, 0.2, trace[:2], tokens(rng.randint(1, 6)), 0.0, copy) for copy in (0, 1)]
        rollouts += [rollout(2, 0.5, trace[:4], tokens(3), 1.0), rollout(3, 1.0, trace, [], 1.0)]
        groups.append(Group(TokenizedProblem(f"p{number}", "1", tokens(number + 2), [Trace(trace, None)]), rollouts))
    return groups


def gradient(
    policy: Policy, sequences: Sequence[TokenSequence], stage: Stage, tokens: int, *, checkpointing: bool = False
) -> tuple[float, Tensor]:
    policy.model.zero_grad()
    loss, _ = batch_gradients(policy, sequences, stage, Packing(1.0, tokens, checkpointing))
    return loss, torch.cat([parameter.grad.flatten() for parameter in policy.model.parameters()])


@pytest.mark.parametrize("method", ["trapo", "luffy", "sft"])
@pytest.mark.parametrize("norm", ["const", "token_mean", "seq_mean"])
def test_any_split_into_micro_batches_gives_the_same_gradient(random_policy: Policy, method: str, norm: str) -> None:
    stage = stage_of(method)
    stage = stage.model_copy(
        update={
            "policy": stage.policy.model_copy(update={"norm": norm}),
            "expert": tuple(term.model_copy(update={"norm": norm}) for term in stage.expert),
        }
    )
    sequences = build_sequences(world_groups(random_policy), stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    whole_loss, whole = gradient(random_policy, sequences, stage, tokens=100_000)
    for tokens in (1, 40, 90):
        loss, parts = gradient(random_policy, sequences, stage, tokens)
        assert loss == pytest.approx(whole_loss, abs=1e-6)
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-6)
    assert whole.norm() > 0


def test_without_guidance_trapo_is_grpo(random_policy: Policy) -> None:
    groups = [Group(group.problem, group.rollouts[:4]) for group in world_groups(random_policy)]
    batches = []
    for method in ("trapo", "grpo"):
        stage = stage_of(method)
        sequences = build_sequences(groups, stage.policy, stage.expert, max_tokens=MAX_TOKENS)
        batches.append(gradient(random_policy, sequences, stage, tokens=1000))
    assert batches[0][0] == batches[1][0]
    assert torch.equal(batches[0][1], batches[1][1])


def test_micro_batches_hold_every_sequence_once_and_keep_to_their_size(random_policy: Policy) -> None:
    stage = stage_of("trapo")
    sequences = build_sequences(world_groups(random_policy), stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    parts: list[MicroBatch] = list(split(sequences, tokens_per_microbatch=60, temperature=1.0))
    assert sorted({int(index) for part in parts for index in part.sequence_M}) == list(range(len(sequences)))
    assert all(len(part.ids_N) <= 60 for part in parts)
    assert sum(len(part.targets_M) for part in parts) == sum(len(s.ids) - s.prompt for s in sequences)


def step_lengths() -> list[int]:
    """Lengths as a step has them: prompts and answers of very different sizes, some cut at the limit."""
    rng = random.Random(0)
    return [rng.randint(40, 200) + min(2048, int(rng.lognormvariate(5.8, 0.8))) for _ in range(512)]


def test_micro_batches_of_a_real_steps_lengths_are_nearly_full() -> None:
    lengths = step_lengths()
    for capacity in (4096, 8192, 32768):
        bins = pack(lengths, capacity)
        loads = [sum(lengths[index] for index in members) for members in bins]
        assert sorted(index for members in bins for index in members) == list(range(len(lengths)))
        assert max(loads) <= capacity
        assert sum(loads[:-1]) >= 0.95 * capacity * (len(loads) - 1)
    assert pack(lengths, 4096) == pack(list(lengths), 4096)


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 60))
def test_packing_keeps_to_its_capacity_but_for_what_is_longer(lengths: list[int], capacity: int) -> None:
    bins = pack(lengths, capacity)
    assert sorted(index for members in bins for index in members) == list(range(len(lengths)))
    loads = [sum(lengths[index] for index in members) for members in bins]
    assert all(load <= capacity or len(members) == 1 for load, members in zip(loads, bins, strict=True))
    assert all(first + second > capacity for first, second in combinations(loads, 2))


def test_the_packing_fill_is_that_of_all_micro_batches_but_the_last() -> None:
    sequences = [
        TokenSequence(
            i, rollout(0, 0.0, [], [1] * (n - 1), 0.0), [i, *[1] * (n - 1)], 1, 0, 0.0, 0.0, [], [0.0] * (n - 1)
        )
        for i, n in enumerate([8, 6, 3, 2, 5])
    ]
    assert pack([8, 6, 3, 2, 5], 10) == [[0, 3], [1, 2], [4]]
    assert packing_fill(sequences, tokens_per_microbatch=10) == (10 + 9) / 20
    assert packing_fill(sequences, tokens_per_microbatch=100) == 1.0
    assert packing_fill(sequences[:2], tokens_per_microbatch=4) == 1.0


@pytest.mark.parametrize("method", ["trapo", "sft"])
def test_recomputed_activations_give_the_same_gradient(random_policy: Policy, method: str) -> None:
    stage = stage_of(method)
    sequences = build_sequences(world_groups(random_policy), stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    loss, kept = gradient(random_policy, sequences, stage, tokens=60)
    same_loss, recomputed = gradient(random_policy, sequences, stage, tokens=60, checkpointing=True)
    assert same_loss == loss
    torch.testing.assert_close(recomputed, kept, atol=1e-7, rtol=1e-6)


def test_the_order_of_the_batch_does_not_matter(random_policy: Policy) -> None:
    stage = stage_of("trapo")
    sequences = build_sequences(world_groups(random_policy), stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    loss, there = gradient(random_policy, sequences, stage, tokens=60)
    back_loss, back = gradient(random_policy, sequences[::-1], stage, tokens=60)
    assert back_loss == pytest.approx(loss, abs=1e-6)
    torch.testing.assert_close(back, there, atol=1e-6, rtol=1e-6)


def test_facts_are_float32_and_in_bfloat16_near_those_of_float32(random_policy: Policy) -> None:
    stage = stage_of("trapo")
    sequences = build_sequences(world_groups(random_policy), stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        policy = replace(random_policy, dtype=dtype)
        _, facts = batch_gradients(policy, sequences, stage, Packing(1.0, 60))
        assert facts.logp_M.dtype == facts.entropy_M.dtype == torch.float32
        assert not facts.logp_M.requires_grad
        found.append(facts)
    gap = (found[0].logp_M - found[1].logp_M).abs()
    assert 0 < gap.max().item() < 0.02


def test_expert_tokens_are_learned_at_temperature_one(random_policy: Policy) -> None:
    stage = stage_of("trapo")
    sequences = build_sequences(two_groups(), stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    batch = collate(sequences, temperature=0.5)
    assert set(batch.temperature_M[batch.own_M].tolist()) == {0.5}
    assert set(batch.temperature_M[~batch.own_M].tolist()) == {1.0}


def test_the_oracle_knows_the_kernels_that_the_code_knows() -> None:
    p = torch.tensor([0.9, 0.1, 0.02], dtype=torch.float64)
    for name, params in (("nll", {}), ("trsft", {"alpha": 0.1}), ("dft", {}), ("phi", {}), ("shaped", {"gamma": 0.1})):
        expected = [kernel(name, value) for value in p.tolist()]
        torch.testing.assert_close(expert_weight(name, p.log(), **params), torch.tensor(expected, dtype=torch.float64))
