"""The Python API: the same run as the process, in a thread of ours; a stop and a failure end it as they should."""

import asyncio
import importlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import torch
import yaml

import trapo_core.train as _loaded  # noqa: F401 - the module, which must not take the function's place
from trapo_core import EvalSpec, TrainSpec, evaluate, notebook, train
from trapo_core.errors import CheckpointError, DataError, SpecError
from trapo_core.events import Event, read_events
from trapo_core.loggers import curves
from trapo_core.spec import parse_spec

from .conftest import BASE_STEPS, Start, events_of, final_weights, small_spec

FACTS = {"name": "facts", "data": {"format": "small_world", "task": "facts"}, "temperature": 0, "max_tokens": 8}


@pytest.fixture(autouse=True)
def models_from_here(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAPO_MODELS_DIR", str(models_dir))


def test_a_run_is_the_one_that_the_process_makes_and_its_result_is_what_it_told(start: Start, tmp_path: Path) -> None:
    heard: list[Event] = []
    spec = small_spec(evaluation={"benchmarks": [FACTS], "at_start": True})
    result = train(spec, run_dir=tmp_path / "here", on_event=heard.append)
    assert (result.outcome, result.run_dir) == ("succeeded", tmp_path / "here")
    assert heard == read_events(tmp_path / "here")
    assert result.metrics["step"] == [1, 2, 3, 4, 5, 6]
    assert {len(values) for values in result.metrics.values()} == {6}
    told = [curves(event) for event in events_of(tmp_path / "here", "step")]
    for key, values in result.metrics.items():
        if key != "step":
            for value, metrics in zip(values, told, strict=True):
                assert value == metrics[key] if key in metrics else math.isnan(value)
    assert [(score.step, score.benchmark) for score in result.scores] == [(0, "facts"), (6, "facts")]
    assert result.checkpoint == tmp_path / "here" / "checkpoints" / "step-000006"

    process = start(spec, tmp_path / "there")
    process.communicate(timeout=120)
    assert final_weights(tmp_path / "here") == final_weights(tmp_path / "there")


def test_events_come_to_the_thread_that_called(tmp_path: Path) -> None:
    threads = set()
    train(small_spec(steps=1), tmp_path, lambda _: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


def test_it_runs_where_an_event_loop_runs_as_in_a_notebook(tmp_path: Path) -> None:
    async def cell() -> notebook.Result:
        return train(small_spec(steps=1), run_dir=tmp_path)

    assert asyncio.run(cell()).metrics["step"] == [1]


def test_it_runs_in_a_thread_that_is_not_the_first(tmp_path: Path) -> None:
    found: list[notebook.Result] = []
    thread = threading.Thread(target=lambda: found.append(train(small_spec(steps=1), run_dir=tmp_path)))
    thread.start()
    thread.join()
    assert found[0].outcome == "succeeded"


def test_ctrl_c_finishes_the_step_and_saves_and_the_same_call_goes_on(tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if event.type == "step" and event.step == 3:
            # As it comes in a notebook: while the calling thread waits for the next event.
            threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGINT)).start()

    spec = small_spec(steps=60)
    stopped = train(spec, run_dir=tmp_path, on_event=interrupt)
    assert stopped.outcome == "stopped"
    reached = int(stopped.metrics["step"][-1])
    assert 3 <= reached < 60
    assert stopped.checkpoint == tmp_path / "checkpoints" / f"step-{reached:06d}"
    whole = train(spec, run_dir=tmp_path)
    assert whole.outcome == "succeeded"
    assert whole.metrics["step"] == list(range(1, 61))
    assert [event.attempt for event in events_of(tmp_path, "attempt_started")] == [1, 2]


def test_a_ctrl_c_as_the_run_says_that_it_is_over_is_no_endless_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(SimpleQueue[Event | None]):
        def get(self, block: bool = True, timeout: float | None = None) -> Event | None:
            event = super().get(block, timeout)
            if event is None and not interrupted:
                interrupted.append(True)
                raise KeyboardInterrupt
            return event

    interrupted: list[bool] = []
    monkeypatch.setattr(notebook, "SimpleQueue", Interrupted)
    assert train(small_spec(steps=1), run_dir=tmp_path).outcome == "succeeded"
    assert interrupted


def test_a_second_ctrl_c_is_raised_at_once_and_the_run_still_saves(tmp_path: Path) -> None:
    def impatient(event: Event) -> None:
        if event.type in ("step", "checkpoint"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small_spec(steps=500), tmp_path, impatient)
    [thread] = [thread for thread in threading.enumerate() if thread.name == f"trapo-{tmp_path.name}"]
    thread.join(60)
    assert read_events(tmp_path)[-1].outcome == "stopped"
    assert any((tmp_path / "checkpoints").iterdir())


def test_what_the_callback_raises_comes_out_after_a_checkpoint(tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        if event.type == "step":
            raise ZeroDivisionError("in a plot")

    with pytest.raises(ZeroDivisionError, match="in a plot"):
        train(small_spec(steps=500), tmp_path, fail)
    assert read_events(tmp_path)[-1].outcome == "stopped"
    assert any((tmp_path / "checkpoints").iterdir())


def test_a_real_run_is_logged_as_its_events_say(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    train(small_spec(steps=3, loggers=["tensorboard"]), run_dir=tmp_path)
    assert events_of(tmp_path, "message") == []
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    for event in events_of(tmp_path, "step"):
        for key, value in curves(event).items():
            assert [e.value for e in found.Scalars(key) if e.step == event.step] == [pytest.approx(value, nan_ok=True)]


# ------------------------------------------------------------------------------------------------------------ refusals


def test_a_wrong_spec_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    body = small_spec().model_dump(mode="json")
    with pytest.raises(SpecError, match="/steps"):
        train(body | {"steps": 0}, run_dir=tmp_path / "run")
    with pytest.raises(SpecError, match="evaluate"):
        train({"kind": "eval", "model": {"source": "small_world"}, "benchmarks": [FACTS]}, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_fails_is_raised_and_told(tmp_path: Path) -> None:
    spec = {"model": {"source": "tiny"}, "data": {"format": "gsm8k", "path": str(tmp_path / "nowhere.jsonl")}}
    with pytest.raises(DataError, match="nowhere"):
        train(spec, run_dir=tmp_path)
    assert read_events(tmp_path)[-1].reason == "dataset_not_found"


def test_a_folder_with_checkpoints_of_another_spec_is_left_alone(tmp_path: Path) -> None:
    train(small_spec(steps=1), run_dir=tmp_path)
    with pytest.raises(CheckpointError, match="another spec"):
        train(small_spec(steps=2), run_dir=tmp_path)
    assert train(small_spec(steps=1, name="of another name"), run_dir=tmp_path).metrics["step"] == [1]


# ----------------------------------------------------------------------------------------------------- what is taken


def test_a_spec_may_be_a_file_with_one_spec(tmp_path: Path) -> None:
    body = small_spec(steps=1).model_dump(mode="json")
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(body))
    (tmp_path / "two.yaml").write_text(yaml.safe_dump_all([body, body]))
    assert train(tmp_path / "one.yaml", run_dir=tmp_path / "run").outcome == "succeeded"
    with pytest.raises(SpecError, match="holds 2 specs"):
        train(str(tmp_path / "two.yaml"), run_dir=tmp_path / "run")
    with pytest.raises(SpecError, match="Cannot read"):
        train(tmp_path / "none.yaml")


def test_without_a_folder_a_run_gets_one_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = train(small_spec(steps=1, name="First try"))
    assert result.run_dir.parent == tmp_path / "runs-local"
    assert result.run_dir.name.endswith("-first-try")


def test_a_folder_a_source_and_a_whole_spec_give_the_same_scores(base_folder: Path, tmp_path: Path) -> None:
    spec = parse_spec({"kind": "eval", "model": {"source": "folder", "path": str(base_folder)}, "benchmarks": [FACTS]})
    assert isinstance(spec, EvalSpec)
    ways = [
        evaluate(base_folder, FACTS, run_dir=tmp_path / "1"),
        evaluate(str(base_folder), spec.benchmarks[0], run_dir=tmp_path / "2"),
        evaluate({"source": "small_world", "steps": BASE_STEPS}, FACTS, run_dir=tmp_path / "3"),
        evaluate(spec, run_dir=tmp_path / "4"),
    ]
    first, *others = [[(score.metric, score.score, score.low, score.high) for score in scores] for scores in ways]
    assert all(scores == first for scores in others)
    assert first[0][0] == "avg@1"
    assert (tmp_path / "1" / "evaluations" / "facts.parquet").is_file()


@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("Qwen/Qwen2.5-0.5B", {"source": "hub", "id": "Qwen/Qwen2.5-0.5B"}),
        ("/nowhere/at/all", {"source": "folder", "path": "/nowhere/at/all"}),
        (Path("/nowhere/at"), {"source": "folder", "path": "/nowhere/at"}),
    ],
)
def test_a_name_is_a_hub_id_unless_it_is_a_path(model: str | Path, source: dict[str, Any]) -> None:
    assert notebook._source(model) == source


# ---------------------------------------------------------------------------------------------------- import is light


def test_the_package_and_its_specs_load_no_torch() -> None:
    script = (
        "import sys, json, trapo_core; from trapo_core import TrainSpec, EvalSpec\n"
        "print(json.dumps([name for name in ('torch', 'transformers', 'numpy') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_names_are_the_functions_whatever_was_loaded_before() -> None:
    package = importlib.import_module("trapo_core")
    assert package.train is notebook.train is train
    assert package.evaluate is notebook.evaluate is evaluate
    assert package.TrainSpec is TrainSpec
    assert importlib.import_module("trapo_core.train").make_engine
    assert {"train", "evaluate", "TrainSpec", "EvalSpec"} <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        package.trian  # noqa: B018


def test_the_callers_threads_are_left_as_they_were(tmp_path: Path) -> None:
    before = torch.is_grad_enabled(), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train(small_spec(steps=1), run_dir=tmp_path)
    assert (torch.is_grad_enabled(), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
