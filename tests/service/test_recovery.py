"""Whatever is killed, the run goes on: real workers, a real Redis, real processes."""

import signal
import sqlite3
from pathlib import Path

import psutil
import pytest
import redis
from sqlalchemy import func, select

from runs.db import reading, writing
from runs.life import store
from runs.queue import make_celery, ring
from runs.record import curves
from runs.tables import AttemptRow, EventRow, WorkerRow

pytestmark = pytest.mark.service


@pytest.fixture
def service(make_settings, redis_url):
    # Long enough that a busy machine does not look like a lost one.
    return make_settings(redis_url=redis_url, lease_s=8)


def attempts(engine, run_id):
    with reading(engine) as session:
        return store.attempts(session, run_id)


def history(engine, run_id):
    with reading(engine) as session:
        return curves.read_curve(session, run_id, "reward/unguided", 1000).steps


def gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def freeze_between_writes(worker, database):
    """SQLite's lock is the process's: a process frozen while it writes stops every writer until it wakes up."""
    worker.send_signal(signal.SIGSTOP)
    connection = sqlite3.connect(database, timeout=0.3, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        worker.send_signal(signal.SIGCONT)
        return False
    finally:
        connection.close()
    return True


def test_a_worker_killed_in_mid_run_is_replaced_and_the_run_succeeds(
    service, any_engine, make_run, read_run, until, spawn
):
    engine = any_engine
    settings = service.model_copy(update={"database_url": engine.url.render_as_string(hide_password=False)})
    run_id = make_run(engine, "steps=120 pace=0.05 save_every=5")
    first = spawn("worker", settings)
    until(lambda: read_run(engine, run_id).step > 10, 30)
    training = psutil.Process(attempts(engine, run_id)[0].pid)
    first.send_signal(signal.SIGKILL)
    until(lambda: gone(training), 15)  # it saw the end of its stdin, saved and stopped
    spawn("worker", settings)
    until(lambda: read_run(engine, run_id).state == "succeeded", 40)
    one, two = attempts(engine, run_id)
    assert (one.reason, two.exit_code) == ("worker_lost", 0)
    assert two.resumed_from_step >= 10
    assert history(engine, run_id) == list(range(1, 121))
    with reading(engine) as session:
        assert session.scalar(select(func.count()).where(EventRow.type == "attempt_lost")) == 1


def test_a_worker_told_to_stop_saves_gives_back_and_signs_off(service, engine, make_run, read_run, until, spawn):
    run_id = make_run(engine, "steps=200 pace=0.02 save_every=1000")
    first = spawn("worker", service)
    until(lambda: read_run(engine, run_id).step > 2, 30)
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 0
    run = read_run(engine, run_id)
    assert (run.state, run.reason) == ("queued", "worker_stopped")
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(WorkerRow)) == 0
    spawn("worker", service)
    until(lambda: read_run(engine, run_id).state == "succeeded", 40)
    assert attempts(engine, run_id)[1].resumed_from_step == run.step
    assert history(engine, run_id) == list(range(1, 201))


def test_a_hundred_rings_start_one_attempt(service, engine, make_run, read_run, until, spawn):
    run_id = make_run(engine, "steps=30 pace=0.02")
    celery = make_celery(service)
    for _ in range(100):
        assert ring(celery, run_id)
    celery.close()
    spawn("worker", service)
    until(lambda: read_run(engine, run_id).state == "succeeded", 30)
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(AttemptRow)) == 1


def test_an_emptied_redis_costs_nothing_but_seconds(service, engine, make_run, read_run, until, spawn):
    first = make_run(engine, "steps=60 pace=0.02")
    spawn("worker", service)
    until(lambda: read_run(engine, first).state == "running", 30)
    second = make_run(engine, "steps=3")
    client = redis.Redis.from_url(service.redis_url.replace("redis+socket", "unix"))
    client.flushall()
    client.close()
    until(lambda: read_run(engine, second).state == "succeeded", 30)
    assert read_run(engine, first).state == "succeeded"


def test_a_paused_run_leaves_its_slot_to_the_next(service, engine, make_run, read_run, until, spawn):
    first = make_run(engine, "steps=1000 pace=0.02")
    spawn("worker", service)
    until(lambda: read_run(engine, first).state == "running", 30)
    second = make_run(engine, "steps=3")
    with writing(engine) as session:
        store.pause(session, first)
    until(lambda: read_run(engine, second).state == "succeeded", 30)
    assert read_run(engine, first).state == "paused"
    assert Path(service.run_dir(first) / "spec.json").exists()


@pytest.mark.slow
def test_a_worker_that_froze_past_its_lease_wakes_up_to_nothing(service, engine, make_run, read_run, until, spawn):
    """SIGSTOP, another worker takes over, SIGCONT: the first one must not write another word."""
    run_id = make_run(engine, "steps=150 pace=0.05 save_every=5")
    frozen = spawn("worker", service)
    until(lambda: read_run(engine, run_id).step > 5, 30)
    training = psutil.Process(attempts(engine, run_id)[0].pid)
    until(lambda: freeze_between_writes(frozen, service.home / "trapo.db"), 10)
    spawn("worker", service)
    until(lambda: len(attempts(engine, run_id)) == 2, 40)
    until(lambda: gone(training), 10)
    frozen.send_signal(signal.SIGCONT)
    until(lambda: read_run(engine, run_id).state == "succeeded", 60)
    one, two = attempts(engine, run_id)
    assert (one.reason, one.exit_code, one.signal) == ("worker_lost", None, None)
    assert two.exit_code == 0
    assert history(engine, run_id) == list(range(1, 151))
