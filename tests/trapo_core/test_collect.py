"""What a step learns from, on real groups of the small world: refill, fallback, buffer, alternation, demonstrations."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trapo_core.checkpoint import TrainerState
from trapo_core.collect import Collected, Collector, plan_step, supervised_probability
from trapo_core.data import demonstration_problems, training_problems
from trapo_core.engine import BatchingEngine
from trapo_core.evaluate import make_checker
from trapo_core.group import Group
from trapo_core.model import Policy
from trapo_core.parallel import ALONE
from trapo_core.spec import TrainSpec

from .conftest import small_spec

NOWHERE = Path("nowhere")


def spec_of(method: str, **values: Any) -> TrainSpec:
    data = {"format": "small_world", "problems": 24, "min_ops": 1, "max_ops": 3}
    return small_spec(**{"method": method, "prompts_per_step": 6, "data": data, **values})


class Run:
    """A collector and its state, step after step; nothing is trained."""

    def __init__(self, spec: TrainSpec, policy: Policy) -> None:
        problems = training_problems(spec, NOWHERE)
        shown = demonstration_problems(spec, problems, NOWHERE)
        self.spec, self.state, self.engine = spec, TrainerState(), BatchingEngine(policy, 64)
        self.checker = make_checker(spec.data, spec.reward)
        self.collector = Collector(spec, policy, self.engine, self.checker, problems, shown, "raw", ALONE)

    def step(self) -> Collected:
        plan = plan_step(self.spec.stages()[-1], self.state, self.spec.seed)
        collected = self.collector.collect(plan, self.state)
        self.state.step += 1
        return collected

    def failures(self) -> list[Group]:
        return self.collector.failures(plan_step(self.spec.stages()[-1], self.state, 0), self.state)


@pytest.fixture
def started() -> Iterator[Any]:
    """Start runs that are closed at the end."""
    runs: list[Run] = []

    def start(spec: TrainSpec, policy: Policy) -> Run:
        runs.append(Run(spec, policy))
        return runs[-1]

    yield start
    for run in runs:
        with closing(run.engine), run.checker:
            pass


def right(group: Group) -> int:
    return sum(rollout.reward == 1 for rollout in group.rollouts)


def ids(groups: list[Group]) -> list[str]:
    return [group.problem.id for group in groups]


def whole_traces(groups: list[Group]) -> bool:
    return all(
        len(group.rollouts) == 1
        and group.rollouts[0].prefix_ids == group.problem.traces[0].ids
        and not group.rollouts[0].completion_ids
        for group in groups
    )


# --------------------------------------------------------------------------------------------------------- one problem


def test_hpt_shows_the_traces_of_just_those_problems_that_no_sample_solved(policy: Policy, started: Any) -> None:
    run = started(spec_of("hpt"), policy)
    collected = [run.step() for _ in range(3)]
    failed = [group for step in collected for group in step.rolled if right(group) == 0]
    solved = [group for step in collected for group in step.rolled if right(group) > 0]
    assert failed
    assert solved
    assert ids([group for step in collected for group in step.shown]) == ids(failed)
    assert [group for step in collected for group in step.learned] == solved
    assert all(whole_traces(step.shown) for step in collected)


def test_a_higher_fallback_shows_more_and_one_of_all_samples_shows_everything(policy: Policy, started: Any) -> None:
    steps = [started(spec_of("hpt", fallback={"right_at_most": count}), policy).step().shown for count in (0, 2, 8)]
    assert set(ids(steps[0])) <= set(ids(steps[1])) <= set(ids(steps[2]))
    assert len(steps[2]) == 6


# -------------------------------------------------------------------------------------------------------------- buffer


def test_the_failure_buffer_waits_until_it_is_full_gives_that_many_and_is_empty(
    random_policy: Policy, started: Any
) -> None:
    run = started(spec_of("relift", failure_buffer={"size": 8}), random_policy)
    first = run.step()
    assert [right(group) for group in first.rolled] == [0] * 6
    assert run.failures() == []
    second = run.step()
    shown = run.failures()
    assert ids(shown) == ids([*first.rolled, *second.rolled])[:8]
    assert whole_traces(shown)
    assert run.state.failed_ids == []
    assert run.failures() == []
    assert first.learned == first.rolled  # they are in the GRPO step as well


def test_what_a_sample_solved_does_not_enter_the_failure_buffer(policy: Policy, started: Any) -> None:
    run = started(spec_of("relift"), policy)
    rolled = [group for _ in range(3) for group in run.step().rolled]
    assert run.state.failed_ids == ids([group for group in rolled if right(group) == 0])
    assert 0 < len(run.state.failed_ids) < len(rolled)


# -------------------------------------------------------------------------------------------------------------- refill


def test_refill_replaces_groups_that_teach_nothing_by_those_of_further_problems(policy: Policy, started: Any) -> None:
    run = started(spec_of("grpo", refill={"max_extra_share": 3.0}), policy)
    collected = run.step()
    teaching = [group for group in collected.rolled if 0 < right(group) < 8]
    assert collected.learned == teaching[:6]
    assert 6 < len(collected.rolled) <= 24
    assert len(set(ids(collected.rolled))) == len(collected.rolled) == run.state.problems_taken
    assert ids(run.step().rolled)[0] not in ids(collected.rolled)


def test_refill_gives_up_at_its_bound_and_a_step_that_teaches_nothing_stays(
    random_policy: Policy, started: Any
) -> None:
    collected = started(spec_of("grpo", refill={"max_extra_share": 0.5}), random_policy).step()
    assert len(collected.rolled) == 9
    assert collected.learned == collected.rolled[:6]


@pytest.mark.parametrize("method", ["trapo", "hpt", "srft"])
def test_refill_keeps_a_group_whose_samples_all_fail_if_something_of_it_is_learned(
    method: str, random_policy: Policy, started: Any
) -> None:
    """From a prefix, from the trace that is shown instead, or without a baseline."""
    collected = started(spec_of(method, refill={}), random_policy).step()
    assert len(collected.rolled) == 6
    assert ids(collected.learned) + ids(collected.shown) == ids(collected.rolled)


def test_refill_takes_a_group_of_equal_rewards_for_useless_where_only_advantages_open_the_gate(
    random_policy: Policy, started: Any
) -> None:
    """LUFFY learns its trace by the advantage, and there is none where the trace is as wrong as everything else."""
    spec = spec_of("luffy", refill={"max_extra_share": 0.5}, sampling={"max_tokens": 6})  # cuts off every answer
    collected = started(spec, random_policy).step()
    assert [right(group) for group in collected.rolled] == [0] * 9
    assert any(rollout.prefix_ids for group in collected.rolled for rollout in group.rollouts)


def test_a_problem_that_comes_twice_in_a_step_is_sampled_anew(random_policy: Policy, started: Any) -> None:
    """As at the edge of an epoch."""
    data = {"format": "small_world", "problems": 7, "min_ops": 1, "max_ops": 3}
    runs = [started(spec_of("grpo", data=data), random_policy) for _ in range(2)]
    steps, again = ([{g.problem.draws: samples(g) for g in run.step().rolled} for _ in range(4)] for run in runs)
    assert steps == again
    twice = [(step, name) for step in steps for name in step if name.endswith("#1")]
    assert twice
    assert all(len(step) == 6 for step in steps)
    assert all(step[name] != step[name.removesuffix("#1")] for step, name in twice)


def samples(group: Group) -> list[list[int]]:
    return [rollout.completion_ids for rollout in group.rollouts]


# ------------------------------------------------------------------------------------------------ whole traces besides


@pytest.mark.parametrize("method", ["sft_then_rl", "hpt", "chord_mu", "relift"])
def test_traces_are_shown_with_the_content_that_the_spec_asks_for(
    method: str, random_policy: Policy, started: Any
) -> None:
    changes = {
        "relift": {"failure_buffer": {"size": 4}},
        "chord_mu": {"demonstrations": {"prompts_per_step": 4}},
        "sft_then_rl": {"warm_start": {"steps": 1, "prompts_per_step": 6}},
    }
    spec = spec_of(method, guidance={"content": "think_only"}, **changes.get(method, {}))
    run = started(spec, random_policy)
    step = run.step()
    stages = [stage.guidance.content for stage in run.spec.stages()]
    assert set(stages) == {"think_only"}
    shown = [*step.shown, *run.failures()]
    assert whole_traces(shown)
    assert bool(shown) == (method != "sft_then_rl")


def test_demonstrations_are_a_stream_of_their_own(policy: Policy, started: Any) -> None:
    run = started(spec_of("chord_mu", demonstrations={"prompts_per_step": 8}), policy)
    steps = [run.step() for _ in range(3)]
    stream = ids([group for step in steps for group in step.shown])
    assert len(stream) == len(set(stream)) == 24  # an epoch of it
    assert stream[:6] != ids(steps[0].rolled)
    assert all(whole_traces(step.shown) and step.learned == step.rolled for step in steps)
    assert (run.state.demonstrations_taken, run.state.problems_taken) == (24, 18)


def test_demonstrations_may_be_other_problems(policy: Policy, started: Any) -> None:
    other = {"format": "small_world", "problems": 9, "min_ops": 2, "max_ops": 2, "seed": 7}
    spec = spec_of("chord_phi", demonstrations={"prompts_per_step": 4, "data": other})
    assert {name.rsplit("-", 1)[0] for name in ids(started(spec, policy).step().shown)} == {"chain-7"}


# ----------------------------------------------------------------------------------------------------------- alternate


def sasr(gamma: float = 1.0) -> TrainSpec:
    return spec_of("sasr", alternate={"gamma": gamma}, warm_start={"steps": 1, "prompts_per_step": 6})


def test_the_chance_of_a_supervised_step_is_its_gradient_norm_over_that_and_gamma_times_the_warm_starts() -> None:
    stage = sasr(gamma=2.0).stages()[-1]
    assert supervised_probability(stage, TrainerState(supervised_norm=3.0, warm_norm=1.5)) == 3 / (3 + 2 * 1.5)
    assert supervised_probability(stage, TrainerState(supervised_norm=3.0, warm_norm=0.0)) == 1.0
    assert supervised_probability(stage, TrainerState()) == 0.0


def test_steps_are_supervised_as_often_as_that_chance_and_the_same_ones_again() -> None:
    stage = sasr().stages()[-1]
    states = [TrainerState(step=step, supervised_norm=1.0, warm_norm=3.0) for step in range(1, 401)]
    supervised = [plan_step(stage, state, seed=5).policy.weight == 0 for state in states]
    assert sum(supervised) / 400 == pytest.approx(0.25, abs=0.06)
    assert supervised == [plan_step(stage, state, seed=5).policy.weight == 0 for state in states]
    assert supervised != [plan_step(stage, state, seed=6).policy.weight == 0 for state in states]


def test_a_supervised_step_samples_nothing_and_a_reinforced_one_sees_no_trace(policy: Policy, started: Any) -> None:
    run = started(sasr(), policy)
    run.state.supervised_norm = 1.0
    assert whole_traces(run.step().learned)
    assert run.engine.work.sampled_tokens == 0
    run.state.supervised_norm, run.state.warm_norm = 0.0, 1.0
    reinforced = run.step().learned
    assert all(len(group.rollouts) == 8 for group in reinforced)
    assert not any(rollout.prefix_ids for group in reinforced for rollout in group.rollouts)


# -------------------------------------------------------------------------------------------------- prefixes by chance


def test_uft_gives_all_samples_of_a_problem_one_hint_and_after_its_steps_none(policy: Policy, started: Any) -> None:
    run = started(spec_of("uft", steps=500, prompts_per_step=8), policy)
    early = run.step().rolled
    hints = [{tuple(rollout.prefix_ids) for rollout in group.rollouts} for group in early]
    assert all(len(hint) == 1 for hint in hints)
    assert any(hint != {()} for hint in hints)
    run.state.step = 301
    assert not any(rollout.prefix_ids for group in run.step().rolled for rollout in group.rollouts)


def test_uft_samples_even_after_a_hint_of_all_chunks(policy: Policy, started: Any) -> None:
    slots = [{"n": 4, "when": "always", "ratio": {"draw": "chunks", "p": 1.0}}]
    for group in started(spec_of("uft", guidance={"slots": slots}), policy).step().rolled:
        for rollout in group.rollouts:
            assert rollout.prefix_ids == group.problem.traces[0].ids[:-1]
            assert rollout.guided and rollout.completion_ids and not rollout.full


def test_prefix_rft_draws_long_prefixes_first_and_never_a_whole_trace(policy: Policy, started: Any) -> None:
    run = started(spec_of("prefix_rft", steps=100, prompts_per_step=8), policy)
    shares = []
    for step in (0, 99):
        run.state.step = step
        hybrids = [(group, group.rollouts[-1]) for group in run.step().rolled]
        assert all(rollout.completion_ids for _, rollout in hybrids)
        shares.append([len(rollout.prefix_ids) / len(group.problem.traces[0].ids) for group, rollout in hybrids])
    assert min(shares[0]) > 0.7
    assert max(shares[1]) <= 0.95
    assert min(shares[1]) < 0.5
