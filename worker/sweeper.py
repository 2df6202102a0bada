"""What keeps the queue honest: a thread in every worker that heartbeats, rings again and expires leases.

It works by rows alone, so a lost message, a deaf worker or an emptied Redis costs seconds.
"""

import logging
import os
import signal
from threading import Event, Thread
from time import monotonic

from celery import Celery

from runs import leases, workers
from runs.db import AWAY, reading, writing
from runs.queue import ring
from runs.tables import WorkerRow
from runs.webhooks import Courier
from worker.supervisor import Host

log = logging.getLogger(__name__)


class Sweeper(Thread):
    """Runs until `halt` is set. `row` says who this worker is."""

    def __init__(self, host: Host, celery: Celery, row: WorkerRow) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.host, self.celery, self.row = host, celery, row
        self.courier = Courier(host.engine)
        self.halt = Event()

    def run(self) -> None:
        try:
            self._sweep_until_halt()
        finally:
            if not self.halt.is_set():
                # A worker without its sweeper would look dead and work on: better stop, and be started again.
                os.kill(os.getpid(), signal.SIGTERM)

    def _sweep_until_halt(self) -> None:
        settings = self.host.settings
        heartbeat_at = sweep_at = monotonic()
        while not self.halt.is_set():
            try:
                if monotonic() >= heartbeat_at:
                    heartbeat_at = monotonic() + settings.heartbeat_s
                    with writing(self.host.engine) as session:
                        workers.heartbeat(session, self.row)
                if monotonic() >= sweep_at:
                    sweep_at = monotonic() + settings.sweep_s
                    sweep(self.host, self.celery)
                    self.courier.go()
            except AWAY as error:
                log.warning("The database is away: %s", error)
            self.halt.wait(max(0.05, min(heartbeat_at, sweep_at) - monotonic()))


def sweep(host: Host, celery: Celery) -> None:
    """Take runs from silent workers, and ring for what waits, as far as this worker has room for it."""
    with writing(host.engine) as session:
        for run_id in leases.expire(session, host.settings):
            log.warning("%s: its worker fell silent; back to the queue", run_id)
    with reading(host.engine) as session:
        room = host.settings.slots - leases.held_by(session, host.worker.id)
        waiting = leases.waiting_runs(session, host.worker.gpus, limit=max(0, room))
    for run_id in waiting:
        if host.stopping.is_set() or not ring(celery, run_id):
            return
