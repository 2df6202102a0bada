"""How much a spec samples and trains: bounds that real steps keep, and figures of the paper's own setting."""

from pathlib import Path
from typing import Any

import pytest

from trapo_core import arithmetic
from trapo_core.data import load_problems
from trapo_core.methods import METHODS
from trapo_core.sources import SmallWorldData
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec
from trapo_core.workload import PROMPT_TOKENS, longest_prompt, problems_of, workload

SMALL: dict[str, Any] = {
    "model": {"source": "small_world"},
    "data": {"format": "small_world", "problems": 64},
    "steps": 8,
    "prompts_per_step": 4,
    "sampling": {"max_tokens": 40},
}
CHAINS = {"name": "small_world_chains"}


def train_spec(**fields: Any) -> TrainSpec:
    spec = parse_spec(SMALL | fields)
    assert isinstance(spec, TrainSpec)
    return spec


def test_the_papers_step_is_1024_samples_of_8192_tokens() -> None:
    data = {"format": "openr1", "path": "train.parquet"}
    [stage] = workload(
        train_spec(method="grpo", model={"source": "tiny"}, data=data, prompts_per_step=128, sampling={})
    ).stages
    assert stage.samples_per_step == 1024
    assert stage.sampled.at_most == 1024 * 8192
    assert stage.trained.at_most == 1024 * (8192 + PROMPT_TOKENS)
    assert stage.epochs is None


@pytest.mark.parametrize("method", METHODS)
def test_what_is_expected_of_any_method_is_within_its_bounds(method: str) -> None:
    for stage in workload(train_spec(method=method)).stages:
        for tokens in (stage.sampled, stage.trained, stage.prefixes):
            assert 0 <= tokens.expected <= tokens.at_most, (stage, tokens)
        assert stage.trained.expected > 0


def test_supervised_stages_sample_nothing() -> None:
    warm, main = workload(train_spec(method="sft_then_rl", warm_start={"steps": 2, "prompts_per_step": 4})).stages
    assert (warm.sampled.at_most, warm.prefixes.at_most) == (0, 0)
    assert main.sampled.at_most == 4 * 8 * 40


def test_refills_and_demonstrations_are_in_the_bounds() -> None:
    [plain] = workload(train_spec(method="grpo")).stages
    [refilled] = workload(train_spec(method="grpo", refill={"max_extra_share": 1.5})).stages
    assert refilled.sampled.at_most == 2.5 * plain.sampled.at_most
    [shown] = workload(train_spec(method="chord_mu", demonstrations={"prompts_per_step": 3})).stages
    assert shown.samples_per_step == plain.samples_per_step + 3
    assert shown.sampled == plain.sampled


def test_steps_are_told_in_epochs_where_the_size_is_known() -> None:
    assert workload(train_spec()).stages[0].epochs == 8 * 4 / 64
    limited = SMALL["data"] | {"format": "jsonl", "path": "x.jsonl", "limit": 16}
    del limited["problems"]
    assert workload(train_spec(model={"source": "tiny"}, data=limited)).stages[0].epochs == 2


@pytest.mark.parametrize(
    ("evaluation", "times"),
    [
        ({}, 1),
        ({"at_start": True}, 2),
        ({"every_steps": 3}, 3),
        ({"every_steps": 4}, 2),
        ({"every_steps": 4, "at_start": True}, 3),
        ({"every_steps": 100}, 1),
    ],
)
def test_evaluations_are_counted_as_they_come_due(evaluation: dict[str, Any], times: int) -> None:
    spec = train_spec(evaluation={"benchmarks": [CHAINS], **evaluation})
    due = [spec.evaluation.due(step, spec.total_steps) for step in range(spec.total_steps + 1)]
    found = workload(spec)
    assert found.evaluations == sum(map(len, due)) == times
    assert found.evaluation.at_most == times * 96 * 8 * 48
    assert found.sampled.at_most == 8 * 4 * 8 * 40 + found.evaluation.at_most


def test_a_benchmark_of_unknown_size_is_named_and_not_counted() -> None:
    spec = parse_spec({"kind": "eval", "model": {"source": "hub", "id": "me/mine"},
                       "benchmarks": [{"name": "aime24"}, {"name": "mmlu_pro"}]})  # fmt: skip
    assert isinstance(spec, EvalSpec)
    found = workload(spec)
    assert found.not_counted == ("mmlu_pro",)
    assert found.evaluation.at_most == 30 * 32 * 8192


@pytest.mark.parametrize("task", ["chains", "facts"])
def test_sizes_of_the_small_world_are_exact(task: str) -> None:
    data = SmallWorldData(task=task, problems=500, min_ops=3, max_ops=7)  # type: ignore[arg-type]
    problems = load_problems(data, Path())
    assert problems_of(data) == len(problems)
    assert longest_prompt(data) == max(len(problem.prompt) for problem in problems)
    assert len(arithmetic.facts()) < 500
