"""What the service costs a training, measured within one process: the service works and stands still (SIGSTOP), in
turns (ABBA). While it stands still there is only the training, as under `trapo run`; between two processes of the same
training lies more than the few percent that are asked about. Beside it the processor time that it takes meanwhile."""

import time
from contextlib import suppress
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, stdev
from typing import Any

import psutil

from bench.load.figures import Figure
from bench.load.service import Service, serving, wait_until
from trapo_core.events import StepDone, read_events

ROUNDS, TURN_S = 10, 4.0  # a lease lasts longer than a turn
WARM_UP = 20  # steps that do not count: caches, the first checkpoint, the process that checks answers
TRAINING: dict[str, Any] = {
    "method": "trapo", "model": {"source": "small_world", "steps": 60}, "steps": 100_000, "prompts_per_step": 16,
    "data": {"format": "small_world", "problems": 256, "min_ops": 2, "max_ops": 4}, "sampling": {"max_tokens": 40},
}  # fmt: skip


@dataclass(frozen=True)
class Turn:
    works: bool
    began: float  # seconds since 1970, as events have them
    ended: float
    share: float  # processor time of the service ÷ of the training


def measure(database: str, rounds: int = ROUNDS, turn_s: float = TURN_S) -> list[Figure]:
    """With one thread, as runs side by side have it, and with a thread a core, so that all else takes from it. At least
    two rounds, for the error of their mean."""
    return [figure for threads in (1, 2) for figure in _figures(database, rounds, turn_s, threads)]


def _figures(database: str, rounds: int, turn_s: float, threads: int) -> list[Figure]:
    order = (True, False, False, True)
    with serving(database, scripted=False) as service, service.client() as client:
        run_id = client.submit({**TRAINING, "resources": {"gpus": 0, "cpu_threads": threads}}).id
        wait_until(lambda: client.get(run_id).step >= WARM_UP, 300, every_s=0.5)
        turns = [[_turn(service, works, turn_s) for works in order] for _ in range(rounds)]
        steps = [event for event in read_events(service.home / "runs" / run_id) if isinstance(event, StepDone)]
    logs = [log(_step_time(steps, of, works=True) / _step_time(steps, of, works=False)) for of in turns]
    ratio, error = exp(fmean(logs)), stdev(logs) / sqrt(rounds)
    share = fmean(turn.share for of in turns for turn in of if turn.works)
    what = f"step while the service works ÷ while it stands still, {threads} thread{'s' * (threads > 1)}"
    return [
        Figure(what, f"{ratio:.3f} ± {ratio * error:.3f}, {rounds} rounds", "≤ 1.03", ratio <= 1.03),
        Figure("the same: processor time of the service ÷ of the training", f"{share:.3f}"),
    ]


def _turn(service: Service, works: bool, seconds: float) -> Turn:
    ours, training = _processes(service)
    try:
        for process in [] if works else ours:  # whoever watches the others first
            process.suspend()
        began, before = time.time(), (_spent_s(ours), _spent_s(training))
        time.sleep(seconds)
        ended, after = time.time(), (_spent_s(ours), _spent_s(training))
    finally:
        for process in reversed(ours):
            with suppress(psutil.NoSuchProcess):
                process.resume()
    return Turn(works, began, ended, (after[0] - before[0]) / (after[1] - before[1]))


def _processes(service: Service) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """(the service's, the training's with those that it started)."""
    everybody = [up := psutil.Process(service.up.pid), *up.children(recursive=True)]
    stepping = [process for process in everybody if "trapo_core" in process.cmdline()]
    training = [*stepping, *(child for process in stepping for child in process.children(recursive=True))]
    return [process for process in everybody if process not in training], training


def _spent_s(processes: list[psutil.Process]) -> float:
    spent = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


def _step_time(steps: list[StepDone], turns: list[Turn], works: bool) -> float:
    """Mean seconds of the steps that lie within the turns of that kind."""
    spans = [(turn.began, turn.ended) for turn in turns if turn.works is works]
    times = [(step.ts.timestamp(), step.seconds) for step in steps]
    return fmean(
        seconds for at, seconds in times if any(began <= at - seconds and at <= ended for began, ended in spans)
    )
