"""What the service costs a training: the same run by `trapo run` alone and under the service, in turns (ABBA); and the
processor time that the service itself takes meanwhile, to hold against it where machines are unsteady."""

import json
import math
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.load.figures import Figure, spread
from bench.load.service import TRAPO, Service, inherited, serving, wait_until
from trapo_core.events import StepDone, read_events

ROUNDS, STEPS = 3, 60
WARM_UP = 10  # steps that do not count: caches, the first checkpoint, the process that checks answers
TRAINING: dict[str, Any] = {
    "method": "trapo", "model": {"source": "small_world", "steps": 60}, "prompts_per_step": 16,
    "data": {"format": "small_world", "problems": 256, "min_ops": 2, "max_ops": 4}, "sampling": {"max_tokens": 40},
}  # fmt: skip


def measure(database: str, rounds: int = ROUNDS, steps: int = STEPS) -> list[Figure]:
    """With one thread, as runs side by side have it, and with a thread a core, so that all else takes from it."""
    with tempfile.TemporaryDirectory() as models:  # the base is made once
        return [
            figure for threads in (1, 2) for figure in _pairs(database, Path(models), rounds, steps, threads)
        ]  # fmt: skip


def _pairs(database: str, models: Path, rounds: int, steps: int, threads: int) -> list[Figure]:
    spec = {**TRAINING, "steps": steps, "resources": {"gpus": 0, "cpu_threads": threads}}
    ratios, shares = [], []
    for _ in range(rounds):
        alone, (served, share) = _alone(models, spec), _served(database, models, spec)
        (served_too, share_too), alone_too = _served(database, models, spec), _alone(models, spec)
        ratios += [served / alone, served_too / alone_too]
        shares += [share, share_too]
    of = f"{threads} thread{'s' * (threads > 1)}"
    what = f"step under the service ÷ by `trapo run`, {of}, {2 * rounds} pairs"
    ratio = Figure(what, spread(ratios, 3), "≤ 1.03", median(ratios) <= 1.03)
    return [ratio, Figure("the same: processor time of the service ÷ of the training", spread(shares, 3))]


def _alone(models: Path, spec: dict[str, Any]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.json"
        file.write_text(json.dumps(spec))
        environment = {**inherited(), "TRAPO_HOME": folder, "TRAPO_MODELS_DIR": str(models)}
        command = [TRAPO, "run", file, "--run-dir", Path(folder) / "run"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return step_time(Path(folder) / "run")


def _served(database: str, models: Path, spec: dict[str, Any]) -> tuple[float, float]:
    """(seconds of a step, processor time of the service while the training takes steps ÷ the training's)."""
    with serving(database, scripted=False, models=models) as service, service.client() as client:
        run_id = client.submit(spec).id
        wait_until(lambda: client.get(run_id).step > 0, 120, every_s=0.5)
        taken = [_processor_s(service)]

        def over() -> bool:
            taken.append(_processor_s(service))
            return client.get(run_id).state in ("succeeded", "failed")

        wait_until(over, 1800, every_s=2)  # seldom: what asks takes a core from what is measured
        return step_time(service.home / "runs" / run_id), _share([told for told in taken if told])


def _processor_s(service: Service) -> tuple[float, float] | None:
    """(of the service's processes, of its training process), in seconds so far; None: the training has ended."""
    spent: dict[bool, float] = {}
    for process in [up := psutil.Process(service.up.pid), *up.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # over since the list was made, a zombie too
            training, times = "trapo_core" in process.cmdline(), process.cpu_times()
            spent[training] = spent.get(training, 0.0) + times.user + times.system
    return (spent[False], spent[True]) if True in spent else None


def _share(taken: list[tuple[float, float]]) -> float:
    """What the service spent ÷ what the training spent, from the first time told to the last; NaN: told too seldom."""
    if len(taken) < 2:
        return math.nan
    ours, training = (last - first for first, last in zip(taken[0], taken[-1], strict=True))
    return ours / training if training else math.nan


def step_time(run_dir: Path) -> float:
    """Median seconds of a step."""
    told = [event.seconds for event in read_events(run_dir) if isinstance(event, StepDone)]
    return median(told[WARM_UP:] or told)
