"""The one task: somebody rang for a run."""

from celery import Celery

from runs.queue import ATTEMPT
from worker.supervisor import Host, attempt


def add_tasks(celery: Celery, host: Host) -> None:
    @celery.task(name=ATTEMPT)  # type: ignore[untyped-decorator]
    def trapo_attempt(run_id: str) -> None:
        attempt(host, run_id)
