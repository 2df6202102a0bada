import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client.supervisor import Child, Supervisor

SLEEPER = "import time; time.sleep(60)"
RELUCTANT = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
WRITES_AT_THE_END = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1], 'a').write(sys.argv[2]), sys.exit(0)))
print('up', flush=True)
time.sleep(60)
"""


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def supervisor(told: list[str]) -> Iterator[Supervisor]:
    one = Supervisor(told.append, lambda _pids: None)
    yield one
    one.stop()


def child(tmp_path: Path, name: str, program: str, *arguments: str, patience_s: float = 10.0) -> Child:
    return Child(name, [sys.executable, "-c", program, *arguments], os.environ, tmp_path / f"{name}.log", patience_s)


def eventually(fact: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_child_comes_back(tmp_path: Path, supervisor: Supervisor, told: list[str]) -> None:
    sleeper = child(tmp_path, "worker", SLEEPER)
    supervisor.start(sleeper)
    assert sleeper.process
    first = sleeper.process.pid
    os.kill(first, signal.SIGKILL)
    eventually(lambda: sleeper.process is not None and sleeper.process.pid != first)
    assert "worker was killed by signal 9" in told[0]


def test_a_child_that_cannot_start_is_found_hopeless_and_its_log_is_kept(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    supervisor.start(child(tmp_path, "api", "raise SystemExit('no such table')"))
    eventually(lambda: supervisor.hopeless() is not None)
    assert "no such table" in (tmp_path / "api.log").read_text()


def test_children_stop_in_reverse_order(tmp_path: Path, supervisor: Supervisor) -> None:
    order = tmp_path / "order"
    for name in ("redis", "api", "worker"):
        supervisor.start(child(tmp_path, name, WRITES_AT_THE_END, str(order), f"{name} "))
        log = tmp_path / f"{name}.log"
        eventually(lambda log=log: "up" in log.read_text())
    supervisor.stop()
    assert order.read_text() == "worker api redis "


def test_a_child_that_will_not_stop_is_killed_after_its_patience(tmp_path: Path, supervisor: Supervisor) -> None:
    stubborn = child(tmp_path, "worker", RELUCTANT, patience_s=0.2)
    supervisor.start(stubborn)
    eventually(lambda: "up" in (tmp_path / "worker.log").read_text())
    supervisor.stop()
    assert stubborn.process
    assert stubborn.process.returncode == -signal.SIGKILL


def test_what_runs_is_told_at_every_change(tmp_path: Path) -> None:
    seen: list[dict[str, int]] = []
    supervisor = Supervisor(lambda _: None, seen.append)
    for name in ("redis", "api"):
        supervisor.start(child(tmp_path, name, SLEEPER))
    supervisor.stop()
    assert [sorted(pids) for pids in seen] == [["redis"], ["api", "redis"]]
