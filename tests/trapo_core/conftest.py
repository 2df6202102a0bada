"""Real parts, made small: a base of the small world, and random models in which nothing is trained."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from trapo_core.base import small_world_base
from trapo_core.events import Event, read_events
from trapo_core.model import Policy, load_policy, make_policy, new_qwen2, small_world_tokenizer
from trapo_core.sources import SmallWorldModel
from trapo_core.spec import TrainSpec, parse_spec

BASE_STEPS = 90
Values = dict[str, Any]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The tests share two cores with others; results must not depend on how many threads there are."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models root that holds a barely trained small-world base: quick to make, and it samples something."""
    torch.set_num_threads(1)  # made before any test's own fixture; two threads on busy cores take ten times as long
    folder = tmp_path_factory.mktemp("models")
    small_world_base(SmallWorldModel(steps=BASE_STEPS), folder, report=lambda *_: None, stop=lambda: None)
    return folder


@pytest.fixture(scope="session")
def base_folder(models_dir: Path) -> Path:
    return next(folder for folder in models_dir.iterdir() if folder.is_dir())


@pytest.fixture
def policy(base_folder: Path) -> Policy:
    """A fresh copy of the base."""
    return load_policy(base_folder, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture
def random_policy() -> Policy:
    """A small-world model at random weights: every token is about as likely as any other."""
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=32, layers=2, heads=2, context=160, seed=1)
    return make_policy(model.eval(), tokenizer, device=torch.device("cpu"), dtype=torch.float32)


def small_spec(**changes: Any) -> TrainSpec:
    """A training spec on the small world that takes a second or two."""
    values: Values = {
        "method": "trapo",
        "model": {"source": "small_world", "steps": BASE_STEPS},
        "data": {"format": "small_world", "problems": 24, "min_ops": 1, "max_ops": 3},
        "steps": 6,
        "prompts_per_step": 4,
        "sampling": {"max_tokens": 20},
        "optimizer": {"lr": 1e-3},
        "checkpoints": {"every_steps": 2},
        "resources": {"gpus": 0, "cpu_threads": 1},
    }
    spec = parse_spec(values | changes)
    assert isinstance(spec, TrainSpec)
    return spec


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(models_dir: Path) -> Start:
    """Start the training process on a run folder, as a supervisor would."""

    def started(spec: TrainSpec, run_dir: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        run_dir.mkdir(exist_ok=True)
        (run_dir / "spec.json").write_text(spec.model_dump_json())
        return subprocess.Popen(
            [sys.executable, "-m", "trapo_core", str(run_dir), *arguments],
            env={**os.environ, "TRAPO_MODELS_DIR": str(models_dir), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return started


def events_of(run_dir: Path, kind: str) -> list[Event]:
    return [event for event in read_events(run_dir) if event.type == kind]


def final_weights(run_dir: Path) -> bytes:
    """The bytes of the last checkpoint's weights."""
    last = sorted((run_dir / "checkpoints").glob("step-*"))[-1]
    return (last / "model.safetensors").read_bytes()


def write_json_lines(path: Path, rows: list[Values]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
