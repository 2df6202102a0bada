"""kill -9 of the training process, of the Celery worker and of the api, on a real training under `trapo up`: the run
succeeds, its weights are those of a run never killed, and no event is missing or doubled."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from client.api import Client
from client.errors import ClientError
from runs.db import make_engine, reading
from runs.tables import EventRow
from trapo_core.events import EVENTS_FILE, read_lines
from trapo_core.spec import parse_spec

pytestmark = [pytest.mark.service, pytest.mark.slow]

STEPS = 40
SPEC = {
    "method": "trapo",
    "model": {"source": "small_world", "steps": 60},
    "data": {"format": "small_world", "problems": 64, "min_ops": 1, "max_ops": 3},
    "steps": STEPS,
    "prompts_per_step": 8,
    "sampling": {"max_tokens": 20},
    "optimizer": {"lr": 1e-3},
    "checkpoints": {"every_steps": 5},
    "resources": {"gpus": 0, "cpu_threads": 1},
    "evaluation": {
        "at_start": True,
        "benchmarks": [{"name": "chains", "data": {"format": "small_world", "problems": 8}, "max_tokens": 20}],
    },
}


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trapo-") as folder:
        yield Path(folder)


@pytest.fixture
def service(home: Path) -> Iterator[Client]:
    """`trapo up` with short times, ready."""
    times = {"TRAPO_LEASE_S": "6", "TRAPO_HEARTBEAT_S": "0.5", "TRAPO_SWEEP_S": "0.5", "TRAPO_RETRY_BACKOFF_S": "0.1"}
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "trapo", "up", "--home", home, "--port", "0"],
            env={**os.environ, **times},
            stdout=log,
            stderr=log,
        )
    until(lambda: "Serving." in (home / "up.log").read_text() or process.poll() is not None)
    assert process.poll() is None, (home / "up.log").read_text()
    yield Client(told(home)["url"], (home / "admin-key").read_text().strip())
    process.terminate()  # SIGINT may be ignored where the tests run in the background
    process.wait(120)


def until(fact: Callable[[], Any], within_s: float = 120.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)
    return found


def told(home: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((home / "service.json").read_text())
    return facts


def undisturbed_weights(folder: Path, models_dir: Path) -> bytes:
    """The same spec in one process of its own, never killed."""
    folder.mkdir()
    (folder / "spec.json").write_text(parse_spec(SPEC).model_dump_json())
    environment = {**os.environ, "TRAPO_MODELS_DIR": str(models_dir)}
    subprocess.run([sys.executable, "-m", "trapo_core", str(folder)], env=environment, check=True, timeout=300)
    return weights(folder)


def weights(run_dir: Path) -> bytes:
    return (run_dir / "checkpoints" / f"step-{STEPS:06d}" / "model.safetensors").read_bytes()


def test_whatever_is_killed_the_run_ends_as_if_nothing_had_been(service: Client, home: Path) -> None:
    run_id = service.submit(SPEC).id
    run_dir = home / "runs" / run_id

    def has_reached(step: int, attempt: int) -> bool:
        return len(service.attempts(run_id)) == attempt and service.get(run_id).step >= step

    until(lambda: has_reached(7, attempt=1))
    os.kill(int(str(service.attempts(run_id)[0].pid)), signal.SIGKILL)

    until(lambda: has_reached(14, attempt=2))
    os.kill(told(home)["children"]["worker"], signal.SIGKILL)

    until(lambda: has_reached(22, attempt=3))
    os.kill(told(home)["children"]["api"], signal.SIGKILL)

    def is_over() -> bool:
        try:
            return service.get(run_id).state not in ("queued", "starting", "running")
        except ClientError:
            return False  # the api is being started again

    until(is_over)
    assert service.get(run_id).state == "succeeded"
    assert [attempt.reason for attempt in service.attempts(run_id)] == ["killed_signal", "worker_lost", None]
    assert weights(run_dir) == undisturbed_weights(home / "undisturbed", home / "models")

    lines = [start for start, _, _ in read_lines(run_dir / EVENTS_FILE, limit_bytes=1 << 40)]
    with reading(make_engine(f"sqlite:///{home / 'trapo.db'}")) as session:
        query = select(EventRow.file_offset).where(EventRow.run_id == run_id, EventRow.file_offset.is_not(None))
        assert sorted(offset for offset in session.scalars(query) if offset is not None) == lines
    every_step = list(range(1, STEPS + 1))
    curves = service.curves([run_id], ["reward/unguided", "policy/loss"])
    assert [curve.steps for curve in curves] == [every_step, every_step]
    assert [step.step for step in service.guidance(run_id).data] == every_step
    assert [(score.step, score.metric) for score in service.scores(run_id)] == [(0, "avg@1"), (STEPS, "avg@1")]
