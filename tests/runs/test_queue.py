"""The doorbell on a real Redis, and without one."""

import json

import redis

from runs.queue import QUEUE, make_celery, ring


def test_the_message_carries_the_runs_id_and_nothing_else(make_settings, redis_url):
    celery = make_celery(make_settings(redis_url=redis_url))
    assert ring(celery, "run_1")
    client = redis.Redis.from_url(redis_url.replace("redis+socket", "unix"))
    (message,) = client.lrange(f"trapo:{QUEUE}", 0, -1)
    assert json.loads(message)["headers"]["argsrepr"] == "['run_1']"
    client.close()
    celery.close()


def test_without_redis_the_bell_stays_silent_but_nothing_fails(make_settings, tmp_path, caplog):
    celery = make_celery(make_settings(redis_url=f"redis+socket://{tmp_path}/none.sock"))
    assert not ring(celery, "run_1")
    assert "run_1" in caplog.text
    celery.close()
