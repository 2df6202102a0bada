"""The process of one attempt: `python -m trapo_core RUN_DIR`.

Reads RUN_DIR/spec.json, appends to RUN_DIR/events.jsonl and writes rollouts/, evaluations/ and checkpoints/ beside it;
it has no other way out. TERM or INT: finish the step, save, exit. The exit status is 0 for succeeded and stopped, 1 for
failed, and the last line of events.jsonl says which, and why; 75 if another process holds the run, whose file it is.

A run on several GPUs is one such process for each, started here (`launch.py`) or by torchrun; the first one writes.
"""

import argparse
import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Tokenizers warn about forks that never happen here; the variable must be set before they are imported.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers.utils import logging as transformers_logging

from trapo_core.errors import BusyError, TrapoError
from trapo_core.evaluate import Judge, check_benchmarks, load_benchmarks, run_benchmark
from trapo_core.events import Ended, EventWriter
from trapo_core.launch import Launch, leave_word, processes_wanted
from trapo_core.parallel import ALONE, World, joined
from trapo_core.places import Places
from trapo_core.prepare import choose_device, load_base
from trapo_core.process import Attempt, StopRequested
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec
from trapo_core.train import train

LOCK_WAIT_S = 30.0


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        count = processes_wanted(options.run_dir, os.environ, _gpus_here())
        if count > 1:
            return _several(options.run_dir, options.attempt, count)
        with joined() as world:
            if not world.first:
                return _attempt(options.run_dir, None, options.attempt, world)
            with _only_process(options.run_dir):
                return _first(options.run_dir, options.attempt, world)
    except BusyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status


def _gpus_here() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _several(run_dir: Path, number: int, count: int) -> int:
    launch = Launch(run_dir, number, count)
    _listen_for_stop(launch.ask_to_stop)
    return launch.run()


def _first(run_dir: Path, number: int, world: World) -> int:
    writer = EventWriter(run_dir)
    try:
        return _attempt(run_dir, writer, number, world)
    finally:
        writer.close()


def _attempt(run_dir: Path, writer: EventWriter | None, number: int, world: World) -> int:
    attempt = Attempt(writer, number)
    _listen_for_stop(attempt.ask_to_stop)
    return _run(run_dir, attempt, world)


def _run(run_dir: Path, attempt: Attempt, world: World) -> int:
    try:
        places = Places.from_environment()
        spec = parse_spec(json.loads((run_dir / "spec.json").read_text()))
        step = (
            train(spec, run_dir, places, attempt, world)
            if isinstance(spec, TrainSpec)
            else evaluate(spec, run_dir, places, attempt)
        )
        ended = Ended(outcome="succeeded", step=step)
    except StopRequested:
        ended = Ended(outcome="stopped", step=attempt.step)
    except TrapoError as error:
        ended = Ended(outcome="failed", step=attempt.step, reason=error.reason, message=str(error))
    except torch.OutOfMemoryError as error:
        hint = "Lower tokens_per_microbatch or sampling.batch_size."
        ended = Ended(outcome="failed", step=attempt.step, reason="oom_gpu", message=f"{error} {hint}")
        if not world.first:
            leave_word(run_dir, world.rank, ended)  # this befalls one alone; all else befalls the first one too
    attempt.report(ended)
    return 1 if ended.outcome == "failed" else 0


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
        for score in run_benchmark(benchmark, judge, step=0, out_dir=run_dir / "evaluations"):
            attempt.report(score)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trapo_core", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run_dir", type=Path, help="folder with spec.json")
    parser.add_argument("--attempt", type=int, default=1, help="number of this attempt, from 1")
    return parser.parse_args(arguments)


@contextmanager
def _only_process(run_dir: Path) -> Iterator[None]:
    """Two processes never write one run: the lock goes with the process, however it ends.

    Raises BusyError if another one holds it for LOCK_WAIT_S.
    """
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


def _listen_for_stop(ask_to_stop: Callable[[], None]) -> None:
    """TERM and INT ask for a stop. With TRAPO_STOP_ON_STDIN_EOF so does the end of stdin: a supervisor holds the other
    end of that pipe, so its death, even by kill -9, reaches us."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ask_to_stop())
    if os.environ.get("TRAPO_STOP_ON_STDIN_EOF") == "1":
        threading.Thread(target=_stop_at_end_of_stdin, args=(ask_to_stop,), daemon=True).start()


def _stop_at_end_of_stdin(ask_to_stop: Callable[[], None]) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ask_to_stop()


if __name__ == "__main__":
    sys.exit(main())
