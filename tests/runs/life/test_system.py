"""What the service is at, on both engines."""

from runs.db import reading, writing
from runs.life.leases import Worker, claim, finish
from runs.life.system import read_system
from runs.tables import RunRow, WorkerRow


def look(engine, settings):
    with reading(engine) as session:
        return read_system(session, settings)


def test_an_idle_service(any_engine, settings):
    idle = look(any_engine, settings)
    assert (idle.workers, idle.held, idle.gpus, idle.queue, idle.queued) == ([], [], {}, [], 0)
    assert idle.free_bytes > 1e6


def test_leases_gpus_and_the_queue_in_its_order(any_engine, settings, make_run):
    first, second, third = (make_run(any_engine, resources={"gpus": 1}) for _ in range(3))
    with writing(any_engine) as session:
        session.get(RunRow, third).priority = 5
        session.add(WorkerRow(id="w", host="h", pid=1, gpus=2, slots=2, free_bytes=7))
        lease = claim(session, first, Worker("w", "h", 2), 60)
    seen = look(any_engine, settings)
    (held,) = seen.held
    assert (held.run_id, held.worker_id, held.host, held.attempt, held.gpu_ids) == (first, "w", "h", 1, ["0"])
    assert 50 < held.expires_in_s <= 60
    assert seen.gpus == {"h/0": first}
    assert [(row.run_id, row.priority) for row in seen.queue] == [(third, 5), (second, 0)]
    assert seen.queued == 2
    assert all(0 <= row.waits_s < 60 for row in seen.queue)
    assert seen.workers[0].free_bytes == 7
    with writing(any_engine) as session:
        finish(session, lease, settings, reason="worker_lost")
    again = look(any_engine, settings)
    assert (again.held, again.gpus) == ([], {})
    (waiting,) = [row for row in again.queue if row.run_id == first]
    assert waiting.reason == "worker_lost"


def test_the_queue_shows_its_head_and_tells_its_length(any_engine, settings, make_run, monkeypatch):
    monkeypatch.setattr("runs.life.system.QUEUE_SHOWN", 2)
    made = [make_run(any_engine) for _ in range(3)]
    seen = look(any_engine, settings)
    assert ([row.run_id for row in seen.queue], seen.queued) == (made[:2], 3)
