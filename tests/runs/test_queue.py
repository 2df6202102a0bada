"""The doorbell on a real Redis, and without one."""

import json

import redis

from runs.life.leases import Worker
from runs.queue import GPU_QUEUE, QUEUE, make_celery, own_queue, ring
from worker.app import queues


def test_the_message_carries_the_runs_id_and_nothing_else(make_settings, redis_url):
    celery = make_celery(make_settings(redis_url=redis_url))
    assert ring(celery, "run_1")
    client = redis.Redis.from_url(redis_url.replace("redis+socket", "unix"))
    (message,) = client.lrange(f"trapo:{QUEUE}", 0, -1)
    assert json.loads(message)["headers"]["argsrepr"] == "['run_1']"
    client.close()
    celery.close()


def test_a_bell_for_a_run_that_needs_gpus_is_heard_by_workers_that_have_some(make_settings, redis_url):
    celery = make_celery(make_settings(redis_url=redis_url))
    for gpus in (None, 0, 2):
        ring(celery, "run_1", gpus)
    client = redis.Redis.from_url(redis_url.replace("redis+socket", "unix"))
    assert [client.llen(f"trapo:{queue}") for queue in (QUEUE, GPU_QUEUE)] == [2, 1]
    client.close()
    celery.close()
    with_gpus, without = [[queue.name for queue in queues(Worker("wkr_1", "h", gpus))] for gpus in (1, 0)]
    assert with_gpus == [QUEUE, GPU_QUEUE, own_queue("wkr_1")]
    assert without == [QUEUE, own_queue("wkr_1")]


def test_without_redis_the_bell_stays_silent_but_nothing_fails(make_settings, tmp_path, caplog):
    celery = make_celery(make_settings(redis_url=f"redis+socket://{tmp_path}/none.sock"))
    assert not ring(celery, "run_1")
    assert "run_1" in caplog.text
    celery.close()
