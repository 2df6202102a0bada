"""The process of one attempt: `python -m trapo_core RUN_DIR`.

Reads RUN_DIR/spec.json, appends to RUN_DIR/events.jsonl and writes rollouts/, evaluations/ and checkpoints/ beside it;
it has no other way out, and what it prints is for people. TERM or INT: finish the step, save, exit. The exit status is
0 for succeeded and stopped, 1 for failed, and the last line of events.jsonl says which, and why; 75 if another process
holds the run, whose file it is.

A run on several GPUs is one such process for each, started here (`launch.py`) or by torchrun; the first one writes.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

# Tokenizers warn about forks that never happen here; the variable must be set before they are imported.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from transformers.utils import logging as transformers_logging

from trapo_core.aside import left_behind
from trapo_core.errors import BusyError, TrapoError
from trapo_core.launch import Launch, processes_wanted
from trapo_core.narrate import narrate
from trapo_core.parallel import joined
from trapo_core.perform import attempt_at, perform


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        count = processes_wanted(options.run_dir, os.environ, _gpus_here())
        if count > 1:
            return _several(options.run_dir, options.attempt, count)
        with joined() as world, attempt_at(options.run_dir, options.attempt, world=world) as attempt:
            _listen_for_stop(attempt.ask_to_stop)
            if world.first:
                attempt.also_tell(narrate)
            perform(options.run_dir, attempt, world)
    except BusyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except TrapoError:  # the last event has told it
        return 1
    return 0


def _gpus_here() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _several(run_dir: Path, number: int, count: int) -> int:
    launch = Launch(run_dir, number, count)
    _listen_for_stop(launch.ask_to_stop)
    return launch.run()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trapo_core", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run_dir", type=Path, help="folder with spec.json")
    parser.add_argument("--attempt", type=int, default=1, help="number of this attempt, from 1")
    return parser.parse_args(arguments)


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


def _leave(status: int) -> None:
    """Exit at once if a logger hangs: what its package left to do at the interpreter's end would hang as well."""
    if left_behind():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    _leave(main())
