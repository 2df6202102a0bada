"""The processes of one run on several GPUs: started together, stopped together, ended together.

torchrun starts the same ranks and may be used by hand; here it would be in the way, because it gives a process that is
asked to stop half a minute to end, where ours finishes its step and saves.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trapo_core.events import EVENTS_FILE, Ended, Event, EventWriter, parse_event, read_lines

# How long the others may take to say goodbye once one has fallen; none of them can go on without it.
GOODBYE_S = 20.0
POLL_S = 0.1
PROCESSES = "TRAPO_PROCESSES"
# What tells a process its place among others, by us or by torchrun.
RANK_VARIABLES = (
    "RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "ROLE_NAME",
    "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
)  # fmt: skip
TORCHRUN_PREFIX = "TORCHELASTIC_"


def processes_wanted(run_dir: Path, environment: Mapping[str, str], gpus_here: int) -> int:
    """How many processes are to be started: one for each GPU of the spec, or TRAPO_PROCESSES (several on a CPU, to try
    things out). One if they are started already, and where there are too few GPUs, so that it tells so."""
    if "WORLD_SIZE" in environment:
        return 1
    gpus = _gpus_to_train_on(run_dir / "spec.json")
    if PROCESSES in environment and gpus is not None:
        return int(environment[PROCESSES])
    return gpus if gpus is not None and 1 < gpus <= gpus_here else 1


def _gpus_to_train_on(spec: Path) -> int | None:
    """What the spec says, however wrong it is elsewhere: the training process tells that. None for evaluations, which
    are one process."""
    try:
        data: Any = json.loads(spec.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(data, dict) or data.get("kind", "train") != "train":
        return None
    resources = data.get("resources")
    gpus = resources.get("gpus") if isinstance(resources, dict) else None
    return gpus if isinstance(gpus, int) else 1


def outside(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` for a program that is none of the processes: it would take a rank's place for its own."""
    return {
        name: value
        for name, value in environment.items()
        if name not in RANK_VARIABLES and not name.startswith(TORCHRUN_PREFIX)
    }


def free_port() -> int:
    """A port of this machine that nobody listens on yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def leave_word(run_dir: Path, rank: int, ended: Ended) -> None:
    """The goodbye of a rank that is not the first, for the launcher to tell."""
    _word(run_dir, rank).write_text(ended.model_dump_json())


def _word(run_dir: Path, rank: int) -> Path:
    return run_dir / f".ended-{rank}.json"


class Launch:
    """`count` training processes on this host. The stdin of each is a pipe that ends when we do: then it saves and
    stops."""

    def __init__(self, run_dir: Path, attempt: int, count: int) -> None:
        self._run_dir, self._attempt, self._count = run_dir, attempt, count
        self._stop_asked = False
        self._ranks: list[subprocess.Popen[bytes]] = []
        events = run_dir / EVENTS_FILE
        self._offset = events.stat().st_size if events.exists() else 0

    def ask_to_stop(self) -> None:
        """All processes finish the step and save. May be called from a signal handler."""
        self._stop_asked = True

    def run(self) -> int:
        """From start to end; the exit status of the first process, or 1 if it fell with the others."""
        for rank in range(self._count):
            _word(self._run_dir, rank).unlink(missing_ok=True)
        port = free_port()
        try:
            self._ranks = [self._start(rank, port) for rank in range(self._count)]
            self._attend()
            fates = [process.poll() for process in self._ranks]
        finally:
            for process in self._ranks:
                process.kill()
        status = self._ranks[0].wait()
        if status < 0 or status == 1:
            self._see_told(fates)
            return 1
        return status

    def _start(self, rank: int, port: int) -> "subprocess.Popen[bytes]":
        place = {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(self._count),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TRAPO_STOP_ON_STDIN_EOF": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "trapo_core", str(self._run_dir), "--attempt", str(self._attempt)]
        return subprocess.Popen(command, env={**os.environ, **place}, stdin=subprocess.PIPE)

    def _attend(self) -> None:
        """Until all have ended; or until one has fallen, or the first is done, and the others had their time."""
        told, deadline = False, float("inf")
        while time.monotonic() < deadline:
            fates = [process.poll() for process in self._ranks]
            if None not in fates:
                return
            if any(fates) or fates[0] is not None:
                deadline = min(deadline, time.monotonic() + GOODBYE_S)
            if self._stop_asked and not told:
                told = True
                self._close_pipes()
            time.sleep(POLL_S)

    def _close_pipes(self) -> None:
        for process in self._ranks:
            assert process.stdin is not None
            process.stdin.close()

    def _see_told(self, fates: list[int | None]) -> None:
        """Tell how the attempt ended, unless the first process has."""
        if any(isinstance(event, Ended) for event in self._events()):
            return
        writer = EventWriter(self._run_dir)
        writer(self._word_left() or self._fate(fates))
        writer.close()

    def _events(self) -> list[Event]:
        """Of this attempt."""
        lines = read_lines(self._run_dir / EVENTS_FILE, self._offset, limit_bytes=1 << 40)
        return [parse_event(line) for _, line, _ in lines]

    def _word_left(self) -> Ended | None:
        files = [_word(self._run_dir, rank) for rank in range(self._count)]
        words = [parse_event(file.read_text()) for file in files if file.exists()]
        return next((word for word in words if isinstance(word, Ended)), None)

    def _fate(self, fates: list[int | None]) -> Ended:
        """One killed by a signal drags the others down with it, so it is named before those."""
        rank, status = min(enumerate(fates), key=lambda fate: (fate[1] is None, fate[1]))
        step = max((event.step for event in self._events() if event.type == "step"), default=0)
        if status is not None and status < 0:
            text = f"process {rank} of {self._count} was killed by {signal.Signals(-status).name}."
            return Ended(outcome="failed", step=step, reason="killed_signal", message=text)
        text = f"process {rank} of {self._count} ended with status {status} and said nothing more; see the log."
        return Ended(outcome="failed", step=step, reason="exit_nonzero", message=text)
