"""What keeps a worker from working is seen and said."""

from datetime import UTC, datetime

import pytest

from runs.db import reading, writing
from runs.life import workers
from runs.life.workers import problem_of
from runs.tables import WorkerRow

NOW = 1_000_000.0


def ago(seconds):
    return datetime.fromtimestamp(NOW - seconds, UTC)


def row(*, heartbeat=1.0, heard=1.0, started=9000.0, free=1 << 40):
    heard_at = None if heard is None else ago(heard)
    return WorkerRow(
        id="w", host="h", pid=1, gpus=0, slots=2, started_at=ago(started), heartbeat_at=ago(heartbeat),
        heard_at=heard_at, free_bytes=free,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("worker", "busy", "word"),
    [
        (row(), 0, None),
        (row(heartbeat=31), 0, "Silent"),
        (row(heard=181), 1, "Deaf"),
        (row(heard=181), 2, None),  # it has no slot free, so it does not look
        (row(heard=None, started=10), 0, None),
        (row(heard=None, started=200), 0, "Deaf"),
        (row(free=5), 0, "bytes free"),
        (row(free=None), 0, None),
    ],
)
def test_a_worker_that_takes_no_runs_says_why(make_settings, worker, busy, word):
    problem = problem_of(worker, NOW, busy, make_settings(lease_s=30, canary_s=60, min_free_bytes=10))
    assert problem is None if word is None else word in problem


def test_a_worker_that_was_heard_is_stamped(engine, settings):
    with writing(engine) as session:
        workers.heartbeat(session, WorkerRow(id="w", host="h", pid=1, gpus=0, slots=1, free_bytes=7))
        workers.heard(session, "w")
    with reading(engine) as session:
        stored = session.get_one(WorkerRow, "w")
        assert stored.heard_at >= stored.started_at
        assert stored.free_bytes == 7
