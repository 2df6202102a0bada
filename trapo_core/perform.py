"""One attempt at a run, from its folder's spec to its last event; alike in a process of its own and in a notebook."""

import fcntl
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from trapo_core.errors import BusyError, GpuLostError, GpuMemoryError, TrapoError
from trapo_core.evaluate import Judge, check_benchmarks, load_benchmarks, run_benchmark
from trapo_core.events import Ended, EventWriter
from trapo_core.gpu_trouble import gpu_error
from trapo_core.launch import leave_word
from trapo_core.loggers import Loggers, check_installed
from trapo_core.parallel import ALONE, World
from trapo_core.places import Places
from trapo_core.prepare import choose_device, load_base
from trapo_core.process import Attempt, StopRequested
from trapo_core.run_folder import SPEC_FILE
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec
from trapo_core.train import train

LOCK_WAIT_S = 30.0


@contextmanager
def attempt_at(
    run_dir: Path, number: int, stop: threading.Event | None = None, world: World = ALONE
) -> Iterator[Attempt]:
    """The run's folder for us alone, and the way out to its events; `stop` is the wish to stop, if it is kept outside.

    Of several processes the first has both. Raises BusyError if another process, or another thread of this one, is at
    work on the folder for LOCK_WAIT_S.
    """
    if not world.first:
        yield Attempt(None, number, stop)
        return
    with _alone(run_dir):
        writer = EventWriter(run_dir)
        try:
            yield Attempt(writer, number, stop)
        finally:
            writer.close()


def perform(run_dir: Path, attempt: Attempt, world: World = ALONE) -> Ended:
    """Do what RUN_DIR/spec.json asks; returns the last event, which is told. A failure is told, and raised again."""
    try:
        ended = Ended(outcome="succeeded", step=_perform(run_dir, attempt, world))
    except StopRequested:
        ended = Ended(outcome="stopped", step=attempt.step)
    except TrapoError as error:
        ended = Ended(outcome="failed", step=attempt.step, reason=error.reason, message=str(error))
        attempt.report(ended)
        if isinstance(error, (GpuMemoryError, GpuLostError)) and not world.first:
            leave_word(run_dir, world.rank, ended)  # these befall one alone; all else befalls the first one too
        raise
    attempt.report(ended)
    return ended


def _perform(run_dir: Path, attempt: Attempt, world: World) -> int:
    places = Places.from_environment()
    spec = parse_spec(json.loads((run_dir / SPEC_FILE).read_text()))
    check_installed(spec)
    try:
        with Loggers(spec, run_dir, attempt) if world.first else nullcontext():
            if isinstance(spec, TrainSpec):
                return train(spec, run_dir, places, attempt, world)
            return evaluate(spec, run_dir, places, attempt)
    except RuntimeError as error:
        if (known := gpu_error(error)) is None:
            raise
        raise known from error


def evaluate(spec: EvalSpec, run_dir: Path, places: Places, attempt: Attempt) -> int:
    """An evaluation run: every benchmark on one model. It has no steps; killed, it starts again."""
    device = choose_device(spec.resources, ALONE)
    benchmarks = load_benchmarks(spec.benchmarks, template=spec.template, data_dir=places.data_dir)
    attempt.started(resumed_from_step=-1, total_steps=0)
    policy = load_base(spec, places, run_dir, [], device, progress=attempt.progress, stop=attempt.stop_if_asked)
    policy.model.eval()
    judge = Judge(policy, spec.reward, spec.seed, spec.batch_size, attempt.progress, attempt.stop_if_asked)
    check_benchmarks(benchmarks, policy)
    for benchmark in benchmarks:
        told = run_benchmark(benchmark, judge, step=0, out_dir=run_dir / "evaluations")
        attempt.report(told.outcomes, *told.scores)
    return 0


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """Two processes never write one run: the lock goes with the process, however it ends."""
    with (run_dir / ".lock").open("w") as file:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BusyError(f"another process is at work on {run_dir}.", "Wait for it, or end it.") from None
                time.sleep(0.1)
        yield
