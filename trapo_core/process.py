"""One attempt at a run, as a process: what it reports, and when it is asked to stop."""

import os
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version

from trapo_core.errors import TrapoError
from trapo_core.events import AttemptStarted, Event, EventWriter, Progress

PROGRESS_PERIOD_S = 0.5
REPORTED_VERSIONS = ("torch", "transformers")


class StopRequested(TrapoError):
    """Somebody asked the process to end; it has saved what it could."""


class Attempt:
    """The number of the attempt, its way out to the world, and the wish to stop (set by a signal or a closed stdin).

    Of several processes only the first has a writer; the others say nothing.
    """

    def __init__(self, writer: EventWriter | None, number: int = 1, stop: threading.Event | None = None) -> None:
        self._writer = writer
        self._listeners: list[Callable[..., None]] = []
        self._stop = stop or threading.Event()
        self._last_progress = ("", 0.0)
        self.number = number
        self.step = 0

    def report(self, *events: Event) -> None:
        """Tell the world; several events at once are told all or none."""
        if self._writer is not None:
            self._writer(*events)
        for listener in self._listeners:
            listener(*events)

    def also_tell(self, listener: Callable[..., None]) -> None:
        """From now on `listener(*events)` hears everything once it is written."""
        self._listeners.append(listener)

    def sync(self) -> None:
        if self._writer is not None:
            self._writer.sync()

    def started(self, *, resumed_from_step: int, total_steps: int) -> None:
        versions = {"python": sys.version.split()[0], **{name: version(name) for name in REPORTED_VERSIONS}}
        self.report(
            AttemptStarted(
                attempt=self.number,
                resumed_from_step=resumed_from_step,
                total_steps=total_steps,
                pid=os.getpid(),
                versions=versions,
            )
        )

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell how far a stage is; a few times a second at most, its end always."""
        now = time.monotonic()
        last_stage, last_time = self._last_progress
        if stage != last_stage or done == total or now - last_time >= PROGRESS_PERIOD_S:
            self.report(Progress(stage=stage, done=done, total=total))
            self._last_progress = (stage, now)

    def ask_to_stop(self) -> None:
        self._stop.set()

    def stop_asked(self) -> bool:
        return self._stop.is_set()

    def stop_if_asked(self) -> None:
        """Raises StopRequested if the process was asked to stop."""
        if self._stop.is_set():
            raise StopRequested("asked to stop.")
