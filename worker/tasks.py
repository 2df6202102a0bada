"""The tasks: somebody rang for a run, or the worker asks itself whether it hears."""

import logging

from celery import Celery

from runs.db import AWAY, writing
from runs.life import workers
from runs.queue import ATTEMPT, CANARY
from worker.supervisor import Host, attempt

log = logging.getLogger(__name__)


def add_tasks(celery: Celery, host: Host) -> None:
    @celery.task(name=ATTEMPT)  # type: ignore[untyped-decorator]
    def trapo_attempt(run_id: str) -> None:
        # Whose bell it was does not matter: the first in the queue is next.
        log.debug("rung for %s", run_id)
        attempt(host)
        _heard(host)

    @celery.task(name=CANARY)  # type: ignore[untyped-decorator]
    def trapo_canary() -> None:
        _heard(host)


def _heard(host: Host) -> None:
    try:
        with writing(host.engine) as session:
            workers.heard(session, host.worker.id)
    except AWAY as error:
        log.warning("The database is away: %s", error)
