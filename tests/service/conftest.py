"""Real workers and a real api as processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from runs.settings import Settings

ROOT = Path(__file__).parents[2]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as a process gets them."""
    values = settings.model_dump(mode="json", exclude_none=True)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {**os.environ, **{f"TRAPO_{name.upper()}": value for name, value in texts.items()}}


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `python -m <module>` under some settings; whatever of it still lives at the end is killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(module: str, settings: Settings) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{module}-{len(processes)}.log").open("wb") as log:
            command = [sys.executable, "-m", module]
            process = subprocess.Popen(command, env=environment(settings), cwd=ROOT, stdout=log, stderr=log)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.send_signal(signal.SIGKILL)
        process.wait()
    for log in sorted(tmp_path.glob("*.log")):
        sys.stdout.write(f"--- {log.name}\n{log.read_text()}")
