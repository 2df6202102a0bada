"""A Redis that is frozen holds nobody up, and one that comes back is heard soon."""

import signal
import time

import pytest
import redis
from fastapi.testclient import TestClient

from api.main import create_app
from runs.db import reading
from runs.queue import make_celery, send_canary
from runs.tables import WorkerRow

pytestmark = pytest.mark.service


@pytest.fixture
def service(make_settings, own_redis):
    """Three canaries take longer than a consumer to come back: else it would be called deaf on the way."""
    return make_settings(redis_url=own_redis.url, canary_s=2)


def worker_row(engine):
    with reading(engine) as session:
        return session.query(WorkerRow).one_or_none()


def test_runs_are_accepted_at_once_while_redis_is_frozen(service, engine, own_redis):
    spec = {
        "model": {"source": "small_world"}, "data": {"format": "small_world"}, "sampling": {"max_tokens": 40},
        "steps": 2, "prompts_per_step": 2,
    }  # fmt: skip
    with TestClient(create_app(service)) as client:
        client.headers["Authorization"] = f"Bearer {(service.home / 'admin-key').read_text().strip()}"
        assert client.post("/api/v1/runs", json=spec).status_code == 201
        own_redis.signal(signal.SIGSTOP)
        begun = time.monotonic()
        for _ in range(10):
            assert client.post("/api/v1/runs", json=spec).status_code == 201
        assert time.monotonic() - begun < 10, "each would wait two seconds for its bell"


@pytest.mark.slow
def test_a_sweeper_goes_on_while_redis_is_frozen_and_the_worker_hears_when_it_is_thawed(
    service, engine, own_redis, until, spawn, make_run, read_run
):
    spawn("worker", service)
    until(lambda: worker_row(engine) and worker_row(engine).heard_at, 30)
    own_redis.signal(signal.SIGSTOP)
    run_id = make_run(engine)
    for _ in range(3):
        beat = worker_row(engine).heartbeat_at
        until(lambda before=beat: worker_row(engine).heartbeat_at > before, 5)
    assert read_run(engine, run_id).state == "queued"
    own_redis.signal(signal.SIGCONT)
    until(lambda: read_run(engine, run_id).state == "succeeded", 15)


@pytest.mark.slow
def test_a_worker_hears_soon_after_a_redis_that_was_long_away_is_back(
    service, engine, own_redis, until, spawn, make_run, read_run
):
    spawn("worker", service)
    until(lambda: worker_row(engine) and worker_row(engine).heard_at, 30)
    own_redis.stop()
    time.sleep(13)  # by itself Celery's consumer would look again at 12 s and at 20 s
    own_redis.start()
    run_id = make_run(engine)
    until(lambda: read_run(engine, run_id).state != "queued", 5)


@pytest.mark.slow
def test_a_worker_hears_on_when_redis_froze_over_its_acknowledgement(service, engine, own_redis, until, spawn):
    spawn("worker", service.model_copy(update={"canary_s": 300.0}))
    until(lambda: worker_row(engine) and worker_row(engine).heard_at, 30)
    celery, worker_id = make_celery(service), worker_row(engine).id
    for _ in range(3):  # now and then the consumer is a moment quicker than we are
        time.sleep(1.2)  # the one before is acknowledged
        with redis.Redis(unix_socket_path=str(own_redis.folder / "redis.sock"), socket_timeout=10).monitor() as monitor:
            assert send_canary(celery, worker_id, 60)
            while "HSET trapo:unacked" not in monitor.next_command()["command"]:
                pass
            own_redis.signal(signal.SIGSTOP)
        time.sleep(1.5)  # longer than a client waits
        own_redis.signal(signal.SIGCONT)
        heard_at = worker_row(engine).heard_at
        assert send_canary(celery, worker_id, 60)
        until(lambda before=heard_at: worker_row(engine).heard_at > before, 5)
    celery.close()
