"""The process of one attempt: evaluation runs, refusals, and the one way out."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from trapo_core.__main__ import main
from trapo_core.events import read_events

from .conftest import BASE_STEPS, Start, events_of, small_spec

SMALL_BENCHMARK = {"name": "chains", "data": {"format": "small_world", "problems": 5}, "max_tokens": 30}


def run(run_dir: Path, spec: dict[str, Any], monkeypatch: Any, models_dir: Path) -> int:
    run_dir.mkdir(exist_ok=True)
    (run_dir / "spec.json").write_text(json.dumps(spec))
    monkeypatch.setenv("TRAPO_MODELS_DIR", str(models_dir))
    monkeypatch.setattr("trapo_core.__main__._listen_for_stop", lambda _: None)  # pytest owns the signals
    return main([str(run_dir)])


def test_an_evaluation_run_scores_a_model(models_dir: Path, tmp_path: Path, monkeypatch: Any) -> None:
    spec = {"kind": "eval", "model": {"source": "small_world", "steps": BASE_STEPS}, "benchmarks": [SMALL_BENCHMARK]}
    assert run(tmp_path, spec, monkeypatch, models_dir) == 0
    told = ["attempt_started", "progress", "outcomes", "score", "ended"]
    assert [event.type for event in read_events(tmp_path)] == told
    assert (tmp_path / "evaluations" / "chains.parquet").is_file()


def test_a_run_of_no_use_says_why_and_leaves_nothing_else(models_dir: Path, tmp_path: Path, monkeypatch: Any) -> None:
    refused = {
        "spec_invalid": small_spec().model_dump(mode="json") | {"steps": 0},
        "model_not_found": small_spec().model_dump(mode="json") | {"model": {"source": "folder", "path": "nowhere"}},
        "dataset_not_found": small_spec().model_dump(mode="json")
        | {"model": {"source": "tiny"}, "data": {"format": "gsm8k", "path": "nowhere.jsonl"}},
    }
    for reason, spec in refused.items():
        run_dir = tmp_path / reason
        assert run(run_dir, spec, monkeypatch, models_dir) == 1
        ended = read_events(run_dir)[-1]
        assert (ended.outcome, ended.reason) == ("failed", reason)
        assert len(ended.message) > 20
        assert {path.name for path in run_dir.iterdir()} == {".lock", "events.jsonl", "spec.json"}


def test_a_gpu_that_fails_in_mid_run_is_told_as_lost(models_dir: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def failing(*_: Any) -> int:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr("trapo_core.perform.train", failing)
    assert run(tmp_path, small_spec().model_dump(mode="json"), monkeypatch, models_dir) == 1
    ended = read_events(tmp_path)[-1]
    assert (ended.outcome, ended.reason) == ("failed", "gpu_lost")
    assert "unspecified launch failure" in ended.message


@pytest.mark.slow
def test_a_base_model_being_made_can_be_stopped_and_leaves_nothing_half_made(start: Start, tmp_path: Path) -> None:
    spec = small_spec(model={"source": "small_world", "steps": 5000})
    process = start(spec, tmp_path / "run", TRAPO_MODELS_DIR=str(tmp_path / "models"))
    while not events_of(tmp_path / "run", "progress"):
        assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert read_events(tmp_path / "run")[-1].outcome == "stopped"
    assert not [path for path in (tmp_path / "models").iterdir() if path.is_dir()]
