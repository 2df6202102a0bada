"""The learner: several updates a batch, terms beside advantage times ratio, and steps of their own for failures."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from trapo_core.batch import build_sequences
from trapo_core.group import Group, Rollout
from trapo_core.model import Policy, make_policy, new_qwen2, small_world_tokenizer
from trapo_core.stage import Stage
from trapo_core.tokenized import TokenizedProblem, Trace
from trapo_core.update import Learner, Packing, batch_gradients, make_optimizer, response_logps

from .conftest import small_spec

MAX_TOKENS = 12
PACKING = Packing(temperature=1.0, tokens_per_microbatch=64)


def stage_of(method: str, **changes: Any) -> Stage:
    return small_spec(method=method, **changes).stages()[-1]


def fresh_policy() -> Policy:
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=32, layers=2, heads=2, context=160, seed=1)
    return make_policy(model.eval(), tokenizer, device=torch.device("cpu"), dtype=torch.float32)


def groups_of(count: int, *, guided: bool = False, rewards: tuple[float, ...] = (1.0, 0.0, 0.0, 1.0)) -> list[Group]:
    rng = random.Random(3)

    def tokens(length: int) -> list[int]:
        return [rng.randrange(3, 40) for _ in range(length)]

    def rollout(sample: int, prefix: list[int], reward: float) -> Rollout:
        own = tokens(rng.randint(1, 6))
        return Rollout(
            slot=0, sample=sample, ratio=float(bool(prefix)), copy=sample, prefix_ids=prefix, completion_ids=own,
            completion_logps=[-1.0] * len(own), finish="stop", reward=reward, outcome="right" if reward else "wrong",
        )  # fmt: skip

    groups = []
    for number in range(count):
        trace = tokens(5)
        rollouts = [rollout(i, trace[: 3 * guided], reward) for i, reward in enumerate(rewards)]
        groups.append(Group(TokenizedProblem(f"p{number}", "1", tokens(4), [Trace(trace, None)]), rollouts))
    return groups


def shown(groups: list[Group]) -> list[Group]:
    return [
        Group(
            group.problem,
            [
                replace(
                    group.rollouts[0], prefix_ids=group.problem.traces[0].ids, completion_ids=[], completion_logps=[]
                )
            ],
        )
        for group in groups
    ]


def weights(policy: Policy) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


def learner_of(policy: Policy, stage: Stage, reference: Policy | None = None) -> Learner:
    return Learner(policy, stage, PACKING, MAX_TOKENS, reference)


def own_logps(policy: Policy, groups: list[Group], stage: Stage) -> list[list[float]]:
    sequences = build_sequences(groups, stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    return response_logps(policy, sequences, PACKING)


# -------------------------------------------------------------------------------------------------- updates of a batch


@pytest.mark.parametrize("method", ["dr_grpo", "trapo", "prefix_rft", "chord_mu"])
def test_two_updates_are_two_steps_on_halves_against_the_log_probs_before_the_first(method: str) -> None:
    extra = {"demonstrations": {"prompts_per_step": 2}} if method == "chord_mu" else {}
    stage = stage_of(method, updates_per_batch=2, **extra).at(0)
    groups = groups_of(4, guided=method in ("trapo", "prefix_rft"))
    beside = shown(groups_of(2)) if method == "chord_mu" else []
    policy, by_hand = fresh_policy(), fresh_policy()
    update = learner_of(policy, stage).learn(stage, groups, beside, lr=1e-2)

    optimizer = make_optimizer(by_hand, stage.optimizer)
    halves = [
        build_sequences(groups[part], stage.policy, stage.expert, max_tokens=MAX_TOKENS, shown=beside[one])
        for part, one in ((slice(0, 2), slice(0, 1)), (slice(2, 4), slice(1, 2)))
    ]
    old = [response_logps(by_hand, half, PACKING) for half in halves]
    losses = []
    for half, logps in zip(halves, old, strict=True):
        optimizer.zero_grad()
        sequences = [replace(one, old_logps=known) for one, known in zip(half, logps, strict=True)]
        losses.append(batch_gradients(by_hand, sequences, stage, PACKING)[0])
        torch.nn.utils.clip_grad_norm_(by_hand.parameters(), stage.optimizer.grad_clip)
        optimizer.param_groups[0]["lr"] = 1e-2
        optimizer.step()
    torch.testing.assert_close(weights(policy), weights(by_hand), rtol=0, atol=1e-6)
    assert update.loss == pytest.approx(sum(losses) / 2, rel=1e-5)
    assert len(update.sequences) == sum(map(len, halves))
    assert sorted(one.index for one in update.sequences) == list(range(len(update.sequences)))


def test_with_one_update_the_clip_changes_nothing_and_with_four_it_binds() -> None:
    groups = groups_of(4)
    ends = {}
    for updates in (1, 4):
        for clip in (None, [0.01, 0.01]):
            policy, stage = fresh_policy(), stage_of("grpo", policy={"clip": clip}, updates_per_batch=updates)
            learner = learner_of(policy, stage)
            learner.learn(stage, groups * updates, [], lr=1e-2)
            ends[updates, clip is None] = weights(policy)
    torch.testing.assert_close(ends[1, True], ends[1, False], rtol=0, atol=1e-7)
    assert (ends[4, True] - ends[4, False]).abs().max() > 1e-4


# --------------------------------------------------------------------------------------------------------- other terms


def test_a_kl_term_holds_the_policy_near_its_reference() -> None:
    drift = {}
    for kl in (0.0, 1.0):
        policy, reference = fresh_policy(), fresh_policy()
        stage = stage_of("grpo", policy={"kl": kl, "norm": "token_mean"})
        learner = learner_of(policy, stage, reference if kl else None)
        groups = groups_of(3)
        for _ in range(6):
            learner.learn(stage, groups, [], lr=3e-3)
        pairs = zip(own_logps(policy, groups, stage), own_logps(reference, groups, stage), strict=True)
        drift[kl] = sum(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    assert drift[1.0] < 0.8 * drift[0.0]


def test_at_the_reference_a_kl_term_has_neither_value_nor_gradient() -> None:
    groups, ends = groups_of(3), []
    for kl in (0.0, 1.0):
        policy = fresh_policy()
        stage = stage_of("grpo", policy={"kl": kl})
        update = learner_of(policy, stage, fresh_policy() if kl else None).learn(stage, groups, [], lr=1e-3)
        ends.append((update.loss, update.grad_norm))
    assert ends[0] == pytest.approx(ends[1], rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_an_entropy_bonus_raises_the_entropy_of_prefix_and_own_tokens(temperature: float) -> None:
    policy = fresh_policy()
    stage = stage_of("micro_group", policy={"entropy": 1.0})
    groups = groups_of(3, guided=True, rewards=(1.0, 1.0))  # no advantage: nothing else has a gradient
    learner = Learner(policy, stage, replace(PACKING, temperature=temperature), MAX_TOKENS, None)
    first, second = (learner.learn(stage, groups, [], lr=1e-2) for _ in range(2))
    for own in (True, False):
        chosen = first.facts.own_M == own
        assert second.facts.entropy_M[chosen].mean() > first.facts.entropy_M[chosen].mean()
    assert first.loss == pytest.approx(-first.facts.entropy_M.mean().item(), rel=1e-5)


@pytest.mark.parametrize(("gap", "weight"), [(-0.4, math.exp(-0.4)), (0.5, math.exp(0.5)), (1.0, 2.0), (3.0, 2.0)])
def test_truncated_importance_weighs_own_tokens_by_how_much_likelier_the_trainer_finds_them(
    gap: float, weight: float
) -> None:
    """A sampler whose log-probs are all off by the same gap multiplies the whole gradient of own tokens."""
    stage = stage_of("grpo", policy={"truncated_importance": 2.0})
    plain = stage_of("grpo")
    policy, groups = fresh_policy(), groups_of(3)
    known = iter(own_logps(policy, groups, stage))
    sampled = [
        Group(group.problem, [replace(one, completion_logps=[x - gap for x in next(known)]) for one in group.rollouts])
        for group in groups
    ]
    gradients = []
    for plan, batch in ((plain, groups), (stage, sampled)):
        policy.model.zero_grad()
        sequences = build_sequences(batch, plan.policy, plan.expert, max_tokens=MAX_TOKENS)
        batch_gradients(policy, sequences, plan, PACKING)
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in policy.model.parameters()]))
    torch.testing.assert_close(gradients[1], weight * gradients[0], rtol=1e-4, atol=1e-7)


def test_moving_weights_have_the_value_of_their_step() -> None:
    falling = {"shape": "cosine", "start": 0.8, "end": 0.2, "steps": 10}
    stage = stage_of("trapo", expert=[{"kernel": "nll", "weight": falling}], policy={"weight": 0.0}, steps=20)
    groups, losses = groups_of(2, guided=True), []
    for step in (0, 5, 10, 15):
        plan = stage.at(step)
        losses.append(learner_of(fresh_policy(), stage).learn(plan, groups, [], lr=1e-3).loss)
    assert [loss / losses[0] for loss in losses] == pytest.approx([1.0, 0.5 / 0.8, 0.25, 0.25], rel=1e-5)


# ------------------------------------------------------------------------------------------------------------ failures


def test_learning_failures_has_moments_and_a_rate_of_its_own() -> None:
    settings = {"size": 2, "optimizer": {"lr": 1e-2, "weight_decay": 0.0}}
    stage = stage_of("relift", failure_buffer=settings)
    traces = shown(groups_of(2))
    policy, supervised = fresh_policy(), fresh_policy()
    learner = learner_of(policy, stage)
    learner.learn_failures(stage, traces)
    assert not learner.optimizers["main"].state
    # The same step as SFT makes on the same traces with that optimizer.
    sft = stage_of("sft", optimizer=settings["optimizer"] | {"grad_clip": 0.7})
    learner_of(supervised, sft).learn(sft, traces, [], lr=1e-2)
    assert torch.equal(weights(policy), weights(supervised))


def test_whole_traces_beside_groups_do_not_thin_the_policys_mean() -> None:
    stage = stage_of("hpt")
    groups = groups_of(2)
    alone = build_sequences(groups, stage.policy, stage.expert, max_tokens=MAX_TOKENS)
    beside = build_sequences(groups, stage.policy, stage.expert, max_tokens=MAX_TOKENS, shown=shown(groups))
    assert [one.policy_weight for one in alone] == [one.policy_weight for one in beside[: len(alone)]]
    assert {one.policy_weight for one in beside[len(alone) :]} == {0.0}
