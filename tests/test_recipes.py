"""Every recipe can be run as it is: each document of each file parses, to itself."""

from pathlib import Path
from typing import Any

import pytest

from runs.inputs.recipes import read_recipes
from trapo_core.methods import METHODS
from trapo_core.spec import TrainSpec, parse_spec

FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = read_recipes(FOLDER)
DOCUMENTS = [
    pytest.param(document, id=f"{name}-{number}")
    for name, documents in RECIPES.items()
    for number, document in enumerate(documents)
]
OF_METHODS = {name.removeprefix("methods/"): specs for name, specs in RECIPES.items() if name.startswith("methods/")}
OF_PAPER = {name.removeprefix("paper/"): specs for name, specs in RECIPES.items() if name.startswith("paper/")}
# Fields that a method may set, and what says which recipe it is.
OF_A_METHOD = {
    "guidance",
    "expert",
    "policy",
    "warm_start",
    "demonstrations",
    "fallback",
    "failure_buffer",
    "alternate",
}
LABELS = {"name", "tags", "method"}


def trained(document: dict[str, Any]) -> TrainSpec:
    spec = parse_spec(document)
    assert isinstance(spec, TrainSpec)
    return spec


def shared(spec: TrainSpec, *but: str) -> dict[str, Any]:
    return spec.model_dump(exclude=OF_A_METHOD | LABELS | set(but))


def test_there_are_recipes_of_every_kind() -> None:
    assert {"demo", "evaluate", "gsm8k-tiny", "methods/trapo", "paper/trapo"} <= set(RECIPES)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_recipe_parses_and_its_resolved_spec_parses_to_itself(document: dict[str, Any]) -> None:
    spec = parse_spec(document)
    assert parse_spec(spec.model_dump(mode="json")) == spec
    assert spec.name


@pytest.mark.parametrize("name", ["demo", "gsm8k-tiny"])
@pytest.mark.parametrize("method", METHODS)
def test_a_training_recipe_runs_with_any_method(name: str, method: str) -> None:
    for document in RECIPES[name]:
        parse_spec(document | {"method": method})


def test_every_method_has_a_recipe_of_its_name() -> None:
    assert set(OF_METHODS) == set(METHODS)
    for name, [document] in OF_METHODS.items():
        assert document["method"] == name
        assert document["name"] == f"small world · {name}"


def test_recipes_of_methods_differ_in_what_the_method_needs_alone() -> None:
    [trapo] = OF_METHODS["trapo"]
    for name, [document] in OF_METHODS.items():
        spec = trained(document)
        assert shared(spec, "steps") == shared(trained(trapo), "steps"), name
        assert spec.total_steps == 100, name


def test_recipes_of_methods_change_only_what_a_short_run_makes_senseless() -> None:
    """Of a method's own fields a recipe sets curves, sizes, rates and stages; the terms stay those of the row."""
    for name, [document] in OF_METHODS.items():
        plain = trained({key: value for key, value in document.items() if key not in OF_A_METHOD})
        spec = trained(document)
        for one, other in zip(spec.expert, plain.expert, strict=True):
            assert one.model_copy(update={"weight": 1.0}) == other.model_copy(update={"weight": 1.0}), name
        assert spec.policy.model_copy(update={"weight": 1.0}) == plain.policy.model_copy(update={"weight": 1.0}), name
        assert [slot.n for slot in spec.guidance.slots] == [slot.n for slot in plain.guidance.slots], name


def test_the_papers_rows_have_a_recipe_each() -> None:
    table_1 = {"grpo", "sft", "sft_then_rl", "relift", "luffy", "trapo"}
    table_2 = {"grpo", "micro_group", "micro_group_nll", "micro_group_luffy", "trapo"}
    assert set(OF_PAPER) == table_1 | table_2
    assert all(document["method"] == name for name, [document] in OF_PAPER.items())


def test_the_papers_recipes_have_its_settings() -> None:
    trapo = trained(OF_PAPER["trapo"][0])
    assert (trapo.steps, trapo.prompts_per_step, trapo.sampling.max_tokens) == (500, 128, 8192)
    assert (trapo.optimizer.lr, trapo.guidance.samples_per_group, trapo.sampling.temperature) == (5e-6, 8, 1.0)
    for name, [document] in OF_PAPER.items():
        spec = trained(document)
        assert shared(spec, "steps", "prompts_per_step", "optimizer", "updates_per_batch") == shared(
            trapo, "steps", "prompts_per_step", "optimizer", "updates_per_batch"
        ), name
        assert spec.dtype == "bfloat16"
        assert spec.gradient_checkpointing


def test_the_papers_ablation_differs_from_trapo_in_the_method_alone() -> None:
    trapo = shared(trained(OF_PAPER["trapo"][0]))
    for name in ("grpo", "micro_group", "micro_group_nll", "micro_group_luffy"):
        [document] = OF_PAPER[name]
        assert not OF_A_METHOD & set(document)
        assert shared(trained(document)) == trapo


@pytest.mark.parametrize("name", OF_PAPER)
def test_a_recipe_of_the_paper_says_what_is_open_and_warns_of_nothing(name: str) -> None:
    text = (FOLDER / "paper" / f"{name}.yaml").read_text(encoding="utf-8")
    assert "Open in the paper" in text
    assert trained(OF_PAPER[name][0]).warnings() == []


@pytest.mark.parametrize("name", OF_METHODS)
def test_a_recipe_of_a_method_warns_of_nothing_but_a_clip_that_does_not_bind(name: str) -> None:
    assert all("clip never binds" in text for text in trained(OF_METHODS[name][0]).warnings())
