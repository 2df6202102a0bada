"""Keeps child processes alive: restarts with backoff, stops in reverse order, a log file each."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK_S = 0.1
# A child that lives for less has not really started.
QUICK_DEATH_S = 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0  # before another try
HOPELESS_DEATHS = 2


@dataclass
class Child:
    """`patience_s` is how long it may take to stop."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    patience_s: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float | None = None
    quick_deaths: int = 0

    @property
    def hopeless(self) -> bool:
        return self.quick_deaths >= HOPELESS_DEATHS


class Supervisor:
    """Children run in sessions of their own, so that Ctrl-C reaches only us. If we are killed, they are asked to stop
    (Linux only; elsewhere they stay)."""

    def __init__(self, report: Callable[[str], None], on_change: Callable[[dict[str, int]], None]) -> None:
        self.children: list[Child] = []
        self._report = report
        self._on_change = on_change
        self._lock = threading.Lock()
        self._stopping = False
        self._over = threading.Event()
        # The children's parent-death signal follows the thread that started them: this one outlives them all.
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self, child: Child) -> None:
        with self._lock:
            self._spawn(child)
            self.children.append(child)
        if not self._watcher.is_alive():
            self._watcher.start()

    def hopeless(self) -> Child | None:
        """A child that dies again and again as soon as it starts."""
        return next((child for child in self.children if child.hopeless), None)

    def stop(self) -> None:
        """The last started first, each given its patience. Interrupted while waiting, it kills at once."""
        with self._lock:
            self._stopping = True
        try:
            for child in reversed(self.children):
                _stop(child)
        except KeyboardInterrupt:
            for child in self.children:
                if child.process is not None:
                    child.process.kill()
        self._over.set()

    # ------------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.wait(TICK_S):
            with self._lock:
                if not self._stopping:
                    for child in self.children:
                        self._tend(child)

    def _tend(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is not None:
            if now >= child.restart_at:
                self._spawn(child)
        elif child.process is not None and (status := child.process.poll()) is not None:
            child.quick_deaths = child.quick_deaths + 1 if now - child.started_at < QUICK_DEATH_S else 0
            wait = wait_s(child.quick_deaths)
            child.restart_at = now + wait
            when = f"in {wait:g} s" if wait else "at once"
            self._report(f"{child.name} {_end(status)}; starting it again {when}. Its log: {child.log}")

    def _spawn(self, child: Child) -> None:
        with child.log.open("ab") as log:
            child.process = subprocess.Popen(
                [*_tether(), *child.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(child.environment),
                start_new_session=True,
            )
        child.started_at, child.restart_at = time.monotonic(), None
        started = {one.name: one.process.pid for one in [*self.children, child] if one.process}
        self._on_change(started)


def wait_s(quick_deaths: int) -> float:
    """None for one that had lived: clients wait for it."""
    return min(FIRST_WAIT_S * 2**quick_deaths, LONGEST_WAIT_S) if quick_deaths else 0.0


def _tether() -> list[str]:
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "TERM", "--"] if program else []


def _stop(child: Child) -> None:
    if child.process is None or child.process.poll() is not None:
        return
    child.process.terminate()
    try:
        child.process.wait(child.patience_s)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()


def _end(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
