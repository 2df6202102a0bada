"""`trapo run`: one training process in a folder, without any service.

The process is the one that a worker starts, and its events are the ones that a worker reads; see
`trapo_core/events.py`. It runs in its own session, so that Ctrl-C reaches only us,
and we ask it to finish its step and save.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from client.display import Display
from client.errors import UsageError
from client.logs import tail
from client.places import child_environment, home
from client.progress import RunView
from client.watch import EXIT_STATUS, INTERRUPTED
from trapo_core import run_folder
from trapo_core.errors import CheckpointError
from trapo_core.events import EVENTS_FILE, parse_event, read_lines
from trapo_core.spec import EvalSpec, TrainSpec

OUTPUT_FILE = "output.log"
PROCESS = (sys.executable, "-m", "trapo_core")
POLL_S = 0.1
STOP_GRACE_S = 120.0  # as a worker gives by default: to finish a step and save, once its time is over
MAX_DURATION = "max_duration"
# Ends of a process that never began: nothing in the folder is worth keeping.
REFUSALS = frozenset({"spec_invalid", "dataset_not_found", "model_not_found"})
PRELIMINARIES = frozenset({"attempt_started", "progress", "message", "ended"})


def prepare(run_dir: Path, spec: TrainSpec | EvalSpec) -> bool:
    """Write the resolved spec. True if the folder is new; UsageError if another run has checkpoints there."""
    try:
        return run_folder.prepare(run_dir, spec)
    except CheckpointError as error:
        raise UsageError(error.message, "Give another --run-dir, or the spec it began with.") from error


class LocalRun:
    """The process, its folder, and what its events say so far."""

    def __init__(
        self,
        run_dir: Path,
        spec: TrainSpec | EvalSpec,
        console: Console,
        command: Sequence[str] = PROCESS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run_dir = run_dir
        self.clock = clock
        self.console = console
        self.command = [*command, str(run_dir)]
        total = spec.total_steps if isinstance(spec, TrainSpec) else 0
        self.view = RunView(str(run_dir), spec.name or run_dir.name, total)
        self._max_duration_s = spec.resources.max_duration_s
        self._overtime_since: float | None = None
        self._offset = 0
        self._kinds: list[str] = []

    def run(self) -> int:
        """Run to the end; the exit status of the `trapo` command."""
        self._read()
        attempt = self._kinds.count("attempt_started") + 1
        self._kinds.clear()
        self.view.state, self.view.message = "running", ""
        self.view.enter("starting", 0, 0)
        display = Display(self.console)
        with (self.run_dir / OUTPUT_FILE).open("ab") as output, _signals_counted() as asked, display.live([self.view]):
            process = subprocess.Popen(
                [*self.command, "--attempt", str(attempt)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=child_environment(home()),
                start_new_session=True,
            )
            self._attend(process, display, asked)
        return self._conclude(process.returncode, interrupted=bool(asked))

    @property
    def refused(self) -> bool:
        """The process said no before the first step or score, and nothing older is in the folder."""
        began = set(self._kinds) - PRELIMINARIES or any(self.run_dir.glob("checkpoints/*"))
        return self.view.reason in REFUSALS and not began

    def discard(self) -> None:
        shutil.rmtree(self.run_dir)

    # ------------------------------------------------------------------------------------------------------------

    def _attend(self, process: subprocess.Popen[bytes], display: Display, asked: list[int]) -> None:
        heeded, began = 0, self.clock()
        while True:
            # Asked before the last read, so that nothing written before the end is missed.
            over = process.poll() is not None
            if self._read():
                display.update(self.view)
            if over:
                return
            if len(asked) > heeded:
                self._stop(process, at_once=heeded > 0)
                heeded = len(asked)
            if not heeded:
                self._keep_time(process, began)
            time.sleep(POLL_S)

    def _keep_time(self, process: subprocess.Popen[bytes], began: float) -> None:
        """Of the attempt, as a worker does it."""
        now = self.clock()
        if self._overtime_since is not None:
            if now - self._overtime_since > STOP_GRACE_S:
                self._stop(process, at_once=True)
        elif self._max_duration_s is not None and now - began > self._max_duration_s:
            self._overtime_since = now
            self.console.print("[yellow]Its time is over (resources.max_duration_s).[/]")
            self._stop(process, at_once=False)

    def _stop(self, process: subprocess.Popen[bytes], at_once: bool) -> None:
        """TERM to the process alone, which knows how to stop its own children; KILL to its whole session."""
        if at_once:
            os.killpg(process.pid, signal.SIGKILL)
            return
        self.console.print("[yellow]Finishing this step and saving a checkpoint …[/] [dim](again to kill at once)[/]")
        process.terminate()

    def _read(self) -> bool:
        before = self._offset
        for _, line, end in read_lines(self.run_dir / EVENTS_FILE, self._offset, limit_bytes=1 << 40):
            event = parse_event(line)
            self.view.take(event.type, event.ts, event.model_dump())
            self._kinds.append(event.type)
            self._offset = end
        return self._offset > before

    def _conclude(self, returncode: int, interrupted: bool) -> int:
        if interrupted and self.view.state != "succeeded":
            self.view.state = "paused"
            return INTERRUPTED
        if self._overtime_since is not None and self.view.state in ("running", "paused"):
            self.view.state, self.view.reason = "failed", MAX_DURATION
            self.view.message = (
                f"It took longer than resources.max_duration_s allows ({self._max_duration_s:g} s). "
                f"With --run-dir {self.run_dir} it goes on from the last checkpoint."
            )
        if self.view.state == "running":
            self.view.state, self.view.reason = "failed", "exit_nonzero"
            last_words = tail(self.run_dir / OUTPUT_FILE)
            self.view.message = (
                f"The process ended with status {returncode} and said nothing more.\n{last_words}".rstrip()
            )
        return EXIT_STATUS[self.view.state]


@contextmanager
def _signals_counted() -> Iterator[list[int]]:
    """Ctrl-C and TERM are written down instead of raised, for the loop to act on."""
    seen: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(number, lambda received, _: seen.append(received)) for number in numbers]
    try:
        yield seen
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)
