"""kill -9 at twenty random moments: the training ends in the bits of one that was never killed, told once."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from trapo_core.__main__ import main
from trapo_core.events import EVENTS_FILE, Event, read_events
from trapo_core.spec import TrainSpec

from .conftest import final_weights, small_spec

KILLS = 10  # of each method
TOLD_ONCE = ("step", "guidance", "rollouts", "checkpoint", "score")
BENCHMARK = {"name": "chains", "data": {"format": "small_world", "problems": 12}, "samples": 4, "max_tokens": 20}
COMMON = {
    "steps": 12,
    "checkpoints": {"every_steps": 2},
    "evaluation": {"every_steps": 4, "benchmarks": [BENCHMARK]},
}
METHODS: dict[str, dict[str, Any]] = {
    "trapo": {},
    "chord_mu": {"demonstrations": {"prompts_per_step": 3}, "updates_per_batch": 2},
}


def train(run_dir: Path, attempt: int, models_dir: Path) -> None:
    os.environ["TRAPO_MODELS_DIR"] = str(models_dir)
    raise SystemExit(main([str(run_dir), "--attempt", str(attempt)]))


Start = Callable[[Path, int], BaseProcess]


@pytest.fixture
def start(models_dir: Path) -> Start:
    """Start an attempt, forked from a process that has everything imported: imports would be most of its life."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trapo_core.__main__"])

    def started(run_dir: Path, attempt: int) -> BaseProcess:
        process = context.Process(target=train, args=(run_dir, attempt, models_dir))
        process.start()
        return process

    return started


def is_writing(run_dir: Path) -> bool:
    return any((run_dir / "checkpoints").glob(".step-*.tmp"))


def events_since(run_dir: Path, offset: int) -> bytes:
    return (run_dir / EVENTS_FILE).read_bytes()[offset:]


def steps_since(run_dir: Path, offset: int) -> int:
    return events_since(run_dir, offset).count(b'"type":"step"')


Moment = tuple[Callable[[], bool], float]


def moments(run_dir: Path, rng: random.Random, step_s: float) -> Iterator[Moment]:
    """What is waited for before a kill, and for how long after it, in turn: a time, a checkpoint being written, an
    evaluation, some steps."""
    while True:
        offset = (run_dir / EVENTS_FILE).stat().st_size if (run_dir / EVENTS_FILE).exists() else 0
        due = time.monotonic() + rng.uniform(0, 6 * step_s)
        yield lambda due=due: time.monotonic() > due, 0.0  # type: ignore[misc]
        yield lambda: is_writing(run_dir), rng.uniform(0, 0.002)
        yield lambda o=offset: b"evaluating" in events_since(run_dir, o), rng.uniform(0, step_s)  # type: ignore[misc]
        steps = rng.randint(1, 3)
        yield lambda n=steps, o=offset: steps_since(run_dir, o) >= n, rng.uniform(0, step_s)  # type: ignore[misc]


def write_spec(spec: TrainSpec, run_dir: Path) -> Path:
    run_dir.mkdir()
    (run_dir / "spec.json").write_text(spec.model_dump_json())
    return run_dir


def killed(process: BaseProcess, moment: Moment) -> bool:
    """Wait for the moment and a little longer; False if the process was done before."""
    has_come, delay_s = moment
    while process.is_alive() and not has_come():
        time.sleep(0.001)
    time.sleep(delay_s)
    process.kill()
    process.join()
    assert process.exitcode in (0, -9)
    return process.exitcode != 0


def history(run_dir: Path) -> list[Event]:
    """What counts in the end: each attempt supersedes what was told of the steps that it takes again."""
    events: list[Event] = []
    for event in read_events(run_dir):
        if event.type == "attempt_started":
            events = [one for one in events if getattr(one, "step", 0) <= event.resumed_from_step]
        if event.type in TOLD_ONCE:
            events.append(event)
    return events


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_killed_again_and_again_a_run_ends_in_the_same_bits(method: str, start: Start, tmp_path: Path) -> None:
    spec, rng = small_spec(method=method, **COMMON | METHODS[method]), random.Random(f"kills-{method}")
    calm = write_spec(spec, tmp_path / "calm")
    process = start(calm, 1)
    process.join()
    assert process.exitcode == 0
    whole = [(event.type, event.step) for event in history(calm)]
    step_s = max(event.seconds for event in read_events(calm) if event.type == "step")

    kills, runs, half_written = 0, 0, 0
    while kills < KILLS:
        runs += 1
        run_dir = write_spec(spec, tmp_path / f"run-{runs}")
        for attempt, moment in enumerate(moments(run_dir, rng, step_s), start=1):
            process = start(run_dir, attempt)
            if kills == KILLS:
                process.join()
                break
            if not killed(process, moment):
                break
            kills += 1
            half_written += is_writing(run_dir)
        assert process.exitcode == 0
        assert final_weights(run_dir) == final_weights(calm)
        assert sorted((event.type, event.step) for event in history(run_dir)) == sorted(whole)
    assert half_written > 0
