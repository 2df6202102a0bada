"""A worker that lives and does not hear is found, by a message through the real queue."""

import pytest
import redis

from runs.db import reading
from runs.life import workers
from runs.queue import QUEUE, make_celery, own_queue, ring
from runs.tables import WorkerRow

pytestmark = pytest.mark.service


@pytest.fixture
def service(make_settings, redis_url):
    return make_settings(redis_url=redis_url, canary_s=0.5)


def listed(engine, settings):
    with reading(engine) as session:
        return workers.list_workers(session, settings)


def row(engine):
    with reading(engine) as session:
        return session.query(WorkerRow).one_or_none()


def test_a_worker_that_hears_is_healthy_and_one_whose_consumer_is_gone_is_deaf_and_stops(service, engine, until, spawn):
    worker = spawn("worker", service)
    until(lambda: row(engine) and row(engine).heard_at, 30)
    first = row(engine).heard_at
    until(lambda: row(engine).heard_at > first, 10)
    (info,) = listed(engine, service)
    assert info.problem is None

    # Its threads live on and its heart beats: only the consumer stops, as after a bad reconnect.
    celery = make_celery(service)
    for queue in ("trapo", own_queue(info.id)):
        celery.control.cancel_consumer(queue)
    until(lambda: listed(engine, service)[0].problem, 20)
    (info,) = listed(engine, service)
    celery.close()
    assert info.alive
    assert info.problem.startswith("Deaf")
    until(lambda: worker.poll() is not None, 20)  # it stops, so that it is started again


def test_a_busy_worker_is_not_called_deaf_and_leaves_the_bells_to_others(
    service, engine, redis_url, make_run, read_run, until, spawn
):
    run_id = make_run(engine, "steps=1000 pace=0.02")
    spawn("worker", service)
    until(lambda: read_run(engine, run_id).step > 50, 30)
    celery, client = make_celery(service), redis.Redis.from_url(redis_url.replace("redis+socket", "unix"))
    bells = client.llen(f"trapo:{QUEUE}")  # a sweeper rings again for what is not claimed in time
    for _ in range(2):
        assert ring(celery, run_id)
    step = read_run(engine, run_id).step
    until(lambda: read_run(engine, run_id).step > step + 100, 30)
    (info,) = listed(engine, service)
    assert (info.run_ids, info.problem) == ([run_id], None)
    assert client.llen(f"trapo:{QUEUE}") == bells + 2, "a message inside a busy worker could not be taken by a free one"
    client.close()
    celery.close()
