"""The doorbell: Celery carries a run's id from the api to some worker, and nothing else.

A message may come twice, late or never. That costs seconds, not runs: the claim decides who works, and every worker's
sweeper rings again for what waits. So messages are acknowledged early and results are not kept.
"""

import logging
from typing import Any

from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError

from runs.settings import Settings

ATTEMPT = "trapo.attempt"
CANARY = "trapo.canary"
QUEUE = "trapo"  # every worker's
GPU_QUEUE = "trapo.gpu"  # that of workers with GPUs: no other takes a bell that it cannot answer
# A Redis that is there and does not answer: sending tries twice, so nobody waits longer than two of these.
ANSWER_S = 1.0
LONGEST_RECONNECT_WAIT_S = 2.0
log = logging.getLogger(__name__)


class Reconnecting(Connection):  # type: ignore[misc]
    """Tries again soon. Celery has no setting for it: its consumer would wait 2, 4, 6, … 30 s, and be deaf for so long
    after Redis is back."""

    def ensure_connection(self, *given: Any, **more: Any) -> Connection:
        waits = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": LONGEST_RECONNECT_WAIT_S}
        return super().ensure_connection(*given, **{**waits, **more})


def make_celery(settings: Settings) -> Celery:
    """No connection is made before the first message."""
    app = Celery("trapo", broker=settings.redis_url, set_as_current=False)
    app.amqp.Connection = Reconnecting
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        # Early: a run of days would outlive any visibility timeout and be delivered again.
        task_acks_late=False,
        # A message waiting inside a busy worker could not be taken by a free one: none is fetched without a free slot.
        worker_disable_prefetch=True,
        # That alone says how many. A count of prefetched messages would take one whose acknowledgement Redis did not
        # answer in time for unfinished for good, and the worker would hear no other (kombu, `QoS.ack`).
        worker_prefetch_multiplier=0,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "global_keyprefix": "trapo:",
            "visibility_timeout": 3600,
            "socket_keepalive": True,
            "health_check_interval": 30,
            "socket_connect_timeout": ANSWER_S,
            # Of a consumer too, which is not touched by it: it reads when the socket has something (kombu polls it).
            "socket_timeout": ANSWER_S,
            "max_retries": 1,
            "interval_start": 0,
            "interval_max": 0.2,
        },
    )
    return app


def ring(celery: Celery, run_id: str, gpus: int | None = None) -> bool:
    """Tell some worker to look at the queue. False, with a warning, if Redis is away: a sweeper rings later."""
    return _send(celery, ATTEMPT, [run_id], GPU_QUEUE if gpus else QUEUE, expires_s=3600)


def send_canary(celery: Celery, worker_id: str, expires_s: float) -> bool:
    """A message for that worker alone, by the way that all messages take."""
    return _send(celery, CANARY, [], own_queue(worker_id), expires_s)


def own_queue(worker_id: str) -> str:
    return f"{QUEUE}.{worker_id}"


def _send(celery: Celery, task: str, arguments: list[str], queue: str, expires_s: float) -> bool:
    try:
        celery.send_task(task, args=arguments, queue=queue, retry=False, expires=expires_s)
    except (OperationalError, OSError) as error:
        log.warning("Redis is away, so %s %s is not sent: %s", task, " ".join(arguments), error)
        return False
    return True
