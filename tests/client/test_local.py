import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from client.errors import UsageError
from client.local import LocalRun, prepare
from client.progress import first_mean, last_mean
from trapo_core.run_folder import default_folder
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.spec_parts import Resources

SPEC = {"name": "chains", "model": {"source": "small_world"}, "data": {"format": "small_world"}, "steps": 20}


@pytest.fixture
def spec() -> TrainSpec:
    parsed = parse_spec(SPEC)
    assert isinstance(parsed, TrainSpec)
    return parsed


def local_run(run_dir: Path, spec: TrainSpec, command: list[str]) -> tuple[LocalRun, Console]:
    console = Console(record=True, width=160, force_terminal=False)
    prepare(run_dir, spec)
    return LocalRun(run_dir, spec, console, command), console


def test_a_run_to_its_end(tmp_path: Path, spec: TrainSpec, scripted: list[str]) -> None:
    run, console = local_run(tmp_path / "run", spec, [*scripted, "succeed"])
    assert run.run() == 0
    assert (first_mean(run.view.rewards), last_mean(run.view.rewards)) == (pytest.approx(0.275), pytest.approx(0.775))
    assert [line.benchmark for line in run.view.scores.values()] == ["chains"]
    text = console.export_text()
    assert "three problems were dropped" in text
    assert "chains: succeeded" in text


def test_a_refusal_before_anything_started_leaves_nothing(tmp_path: Path, spec: TrainSpec, scripted: list[str]) -> None:
    run, _ = local_run(tmp_path / "run", spec, [*scripted, "refuse"])
    assert run.run() == 1
    assert run.refused
    assert run.view.message == "gsm8k/nowhere.jsonl is not there."
    run.discard()
    assert not (tmp_path / "run").exists()


def test_a_model_that_the_real_process_refuses_leaves_nothing(tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").touch()
    (tmp_path / "data.jsonl").write_text('{"prompt": "1+1?", "answer": "2", "trace": "It is 2."}\n')
    body = {
        "model": {"source": "folder", "path": str(pickled)},
        "data": {"format": "jsonl", "path": str(tmp_path / "data.jsonl")},
        "prompts_per_step": 1,
    }
    parsed = parse_spec(body)
    assert isinstance(parsed, TrainSpec)
    run, _ = local_run(tmp_path / "run", parsed, [sys.executable, "-m", "trapo_core"])
    assert run.run() == 1
    assert run.refused
    assert "only pickled weights (pytorch_model.bin)" in run.view.message


def test_a_crash_shows_the_last_words(tmp_path: Path, spec: TrainSpec, scripted: list[str]) -> None:
    run, _ = local_run(tmp_path / "run", spec, [*scripted, "crash"])
    assert run.run() == 1
    assert not run.refused
    assert "status 7" in run.view.message
    assert "the disk is full" in run.view.message


def test_interrupted_it_saves_and_the_same_folder_resumes(tmp_path: Path, spec: TrainSpec, scripted: list[str]) -> None:
    run, console = local_run(tmp_path / "run", spec, [*scripted, "wait"])
    interrupter = threading.Thread(target=interrupt_at_step, args=(tmp_path / "run" / "events.jsonl", 5))
    interrupter.start()
    assert run.run() == 130
    interrupter.join()
    assert run.view.state == "paused"
    assert "saving a checkpoint" in console.export_text()

    again, _ = local_run(tmp_path / "run", spec, [*scripted, "succeed"])
    assert again.run() == 0
    assert sorted(again.view.rewards) == list(range(1, 21))


def interrupt_at_step(events: Path, step: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (events.exists() and f'"step":{step},' in events.read_text()):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def after_step_5(run_dir: Path) -> Callable[[], float]:
    """A clock that stands until the run has taken five steps, and then runs an hour at each look."""
    hours = itertools.count(1)

    def look() -> float:
        events = run_dir / "events.jsonl"
        return 3600.0 * next(hours) if events.exists() and '"step":5,' in events.read_text() else 0.0

    return look


@pytest.mark.parametrize(("scenario", "saved"), [("wait", ["step-5"]), ("deaf", [])])
def test_a_run_over_its_time_saves_and_has_failed_and_one_that_does_not_hear_is_killed(
    tmp_path: Path, spec: TrainSpec, scripted: list[str], scenario: str, saved: list[str]
) -> None:
    limited = spec.model_copy(update={"resources": Resources(max_duration_s=60)})
    run_dir, console = tmp_path / "run", Console(record=True, width=160, force_terminal=False)
    prepare(run_dir, limited)
    run = LocalRun(run_dir, limited, console, [*scripted, scenario], clock=after_step_5(run_dir))
    assert run.run() == 1
    assert (run.view.state, run.view.reason) == ("failed", "max_duration")
    assert "max_duration_s allows (60 s)" in run.view.message
    assert [path.name for path in run_dir.glob("checkpoints/*")] == saved
    assert "saving a checkpoint" in console.export_text()


def test_a_run_over_its_time_goes_on_in_the_same_folder_with_time_anew(
    tmp_path: Path, spec: TrainSpec, scripted: list[str]
) -> None:
    limited = spec.model_copy(update={"resources": Resources(max_duration_s=60)})
    prepare(tmp_path / "run", limited)
    quiet = Console(record=True, width=160, force_terminal=False)
    LocalRun(tmp_path / "run", limited, quiet, [*scripted, "wait"], clock=after_step_5(tmp_path / "run")).run()
    again, _ = local_run(tmp_path / "run", limited, [*scripted, "succeed"])
    assert again.run() == 0
    assert sorted(again.view.rewards) == list(range(1, 21))


def test_another_spec_may_not_take_over_checkpoints(tmp_path: Path, spec: TrainSpec, scripted: list[str]) -> None:
    run, _ = local_run(tmp_path / "run", spec, [*scripted, "succeed"])
    run.run()
    with pytest.raises(UsageError, match="another spec"):
        prepare(tmp_path / "run", spec.model_copy(update={"seed": 5}))


def test_the_spec_on_disk_is_resolved_and_parses_to_itself(tmp_path: Path, spec: TrainSpec) -> None:
    prepare(tmp_path / "run", spec)
    assert parse_spec(json.loads((tmp_path / "run" / "spec.json").read_text())) == spec


def test_the_default_folder_has_time_and_name() -> None:
    assert default_folder("TRAPO: chains!", datetime(2026, 1, 2, 3, 4, 5)) == Path(
        "runs-local/20260102-030405-trapo-chains"
    )


def test_importing_the_command_loads_no_torch() -> None:
    heavy = "torch", "transformers", "sqlalchemy", "celery"
    program = f"import sys, client.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
