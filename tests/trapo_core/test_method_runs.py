"""Every method trains on the small world, tells the curves that are documented, and resumes to the same bits."""

import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from trapo_core.events import EventWriter
from trapo_core.methods import METHODS
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.train import train

from .conftest import BASE_STEPS, events_of, final_weights

STEPS = 3
ROOT = Path(__file__).parents[2]
# What makes a recipe's run of 100 steps one of three. Without decay a weight moves only if it has a gradient.
OPTIMIZER = {"lr": 1e-3, "weight_decay": 0.0}
SMALL: dict[str, Any] = {
    "model": {"source": "small_world", "steps": BASE_STEPS},
    "data": {"format": "small_world", "problems": 12, "min_ops": 1, "max_ops": 3},
    "prompts_per_step": 3,
    "sampling": {"max_tokens": 16},
    "optimizer": OPTIMIZER,
    "evaluation": {},
    "checkpoints": {"every_steps": 2},
}
SMALL_PARTS: dict[str, dict[str, Any]] = {
    "demonstrations": {"prompts_per_step": 3},
    "failure_buffer": {"size": 2, "optimizer": OPTIMIZER},
    "warm_start": {"steps": 1, "prompts_per_step": 3, "optimizer": OPTIMIZER},
}


def spec_of(method: str, **changes: Any) -> TrainSpec:
    """The method's own recipe, made small."""
    recipe = yaml.safe_load((ROOT / "recipes" / "methods" / f"{method}.yaml").read_text(encoding="utf-8"))
    parts = {name: values for name, values in SMALL_PARTS.items() if name in METHODS[method].values}
    spec = parse_spec(recipe | SMALL | parts | {"steps": STEPS - ("warm_start" in parts)} | changes)
    assert isinstance(spec, TrainSpec)
    return spec


def run(spec: TrainSpec, run_dir: Path, models_dir: Path) -> int:
    run_dir.mkdir(exist_ok=True)
    writer = EventWriter(run_dir)
    try:
        return train(spec, run_dir, Places(Path("nowhere"), models_dir), Attempt(writer))
    finally:
        writer.close()


@pytest.fixture(scope="module")
def finished(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder of each method after three steps, with checkpoints at 2 and 3."""
    folders = {method: tmp_path_factory.mktemp(method) for method in METHODS}
    for method, folder in folders.items():
        assert run(spec_of(method), folder, models_dir) == STEPS
    return folders


@pytest.mark.parametrize("method", METHODS)
def test_three_steps_are_finite_and_change_the_weights(
    method: str, finished: dict[str, Path], base_folder: Path
) -> None:
    steps = events_of(finished[method], "step")
    assert [event.step for event in steps] == [1, 2, 3]
    assert all(math.isfinite(value) for event in steps for value in event.metrics.values())
    assert not events_of(finished[method], "step_skipped")
    before = load_file(base_folder / "model.safetensors")
    after = load_file(finished[method] / "checkpoints" / "step-000003" / "model.safetensors")
    assert all(not after[name].equal(tensor) for name, tensor in before.items())


@pytest.mark.parametrize("method", ["grpo", "dr_grpo", "micro_group"])
def test_where_all_samples_fail_a_method_without_expert_term_leaves_the_weights_as_they_are(
    method: str, models_dir: Path, base_folder: Path, tmp_path: Path
) -> None:
    """An answer takes three tokens: with two every sample fails, every advantage is 0, and so is every gradient."""
    run(spec_of(method, sampling={"max_tokens": 2}), tmp_path, models_dir)
    assert {event.metrics["groups/all_wrong"] for event in events_of(tmp_path, "step")} == {1.0}
    before = load_file(base_folder / "model.safetensors")
    after = load_file(tmp_path / "checkpoints" / "step-000003" / "model.safetensors")
    assert all(after[name].equal(tensor) for name, tensor in before.items())


def resumed(folder: Path, spec: TrainSpec, models_dir: Path, into: Path) -> Path:
    """The run as if it had been killed in step 3, and taken up again."""
    shutil.copytree(folder, into)
    shutil.rmtree(into / "checkpoints" / "step-000003")
    run(spec, into, models_dir)
    assert events_of(into, "attempt_started")[-1].resumed_from_step == 2
    return into


def final_moments(folder: Path) -> bytes:
    return (folder / "checkpoints" / "step-000003" / "trainer" / "optimizer.safetensors").read_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_killed_after_the_second_step_a_run_ends_in_the_same_bits(
    method: str, finished: dict[str, Path], models_dir: Path, tmp_path: Path
) -> None:
    again = resumed(finished[method], spec_of(method), models_dir, tmp_path / "run")
    assert final_weights(again) == final_weights(finished[method])
    assert final_moments(again) == final_moments(finished[method])


def test_a_resumed_run_has_the_reference_with_which_its_stage_began(models_dir: Path, tmp_path: Path) -> None:
    spec = spec_of("grpo", policy={"kl": 1.0})
    run(spec, tmp_path / "whole", models_dir)
    again = resumed(tmp_path / "whole", spec, models_dir, tmp_path / "again")
    assert final_weights(again) == final_weights(tmp_path / "whole")


def test_every_curve_of_any_method_is_documented_and_every_documented_one_is_told(
    finished: dict[str, Path], models_dir: Path, tmp_path: Path
) -> None:
    run(spec_of("grpo", refill={}, steps=1), tmp_path, models_dir)
    folders = [*finished.values(), tmp_path]
    told = {key for folder in folders for event in events_of(folder, "step") for key in event.metrics}
    text = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([a-z]+/[a-z0-9_]+)`", text[text.index("Series keys") :]))
    assert documented == told | {"time/step_s"}  # which the service adds
