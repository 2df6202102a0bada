"""What keeps the queue honest: a thread in every worker that heartbeats, rings again, expires leases, and asks itself
through the queue whether the worker hears. Sending webhooks and removing what was deleted may take long, so each has a
thread of its own.

It works by rows alone, so a lost message, a deaf worker or an emptied Redis costs seconds.
"""

import logging
import os
import signal
from datetime import datetime
from threading import Event, Thread
from time import monotonic

from celery import Celery

from runs.access.webhooks import Courier
from runs.db import AWAY, reading, writing
from runs.files import free_bytes, has_room
from runs.life import leases, removal, workers
from runs.life.workers import CANARIES_MISSED
from runs.queue import ring, send_canary
from runs.tables import WorkerRow
from worker.aside import Aside
from worker.supervisor import Host

log = logging.getLogger(__name__)
PURGE_S = 60.0  # nobody waits for it


class Sweeper(Thread):
    """Runs until `halt` is set. `row` says who this worker is."""

    def __init__(self, host: Host, celery: Celery, row: WorkerRow) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.host, self.celery, self.row = host, celery, row
        self.courier = Aside("courier", Courier(host.engine).deliver)
        self.purge = Aside("purge", lambda: removal.purge(host.engine, host.settings))
        self.canary = Canary(host, celery)
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
        duties = (
            (settings.heartbeat_s, self._heartbeat),
            (settings.sweep_s, lambda: sweep(self.host, self.celery)),
            (settings.sweep_s, self.courier.go),
            (PURGE_S, self.purge.go),
            (settings.canary_s, self.canary.sing),
        )
        due = [monotonic()] * len(duties)
        while not self.halt.is_set():
            for index, (period_s, duty) in enumerate(duties):
                if monotonic() < due[index]:
                    continue
                due[index] = monotonic() + period_s
                try:
                    duty()
                except AWAY as error:
                    log.warning("The database is away: %s", error)
            self.halt.wait(max(0.05, min(due) - monotonic()))

    def _heartbeat(self) -> None:
        self.row.free_bytes = free_bytes(self.host.settings.home)
        with writing(self.host.engine) as session:
            workers.heartbeat(session, self.row)


class Canary:
    """Messages to ourselves through the real queue. With no slot free we would not look, so then none is sent.

    A worker that hears none of several has lost its consumer. While it holds runs it sees them through; then it stops,
    to be started again by what keeps it alive (compose, `trapo up`).
    """

    def __init__(self, host: Host, celery: Celery) -> None:
        self.host, self.celery = host, celery
        self.heard_at: datetime | None = None
        self.unheard = 0

    def sing(self) -> None:
        host = self.host
        with reading(host.engine) as session:
            held = leases.held_by(session, host.worker.id)
            heard_at = workers.last_heard(session, host.worker.id)
        if heard_at != self.heard_at or held >= host.settings.slots:
            self.heard_at, self.unheard = heard_at, 0
        if self.unheard >= CANARIES_MISSED and held == 0:
            log.error("Deaf: %d messages to myself did not arrive. Stopping, to be started again", self.unheard)
            # Its consumer may be too stuck to end by itself, and there is nothing to lose.
            os.kill(os.getpid(), signal.SIGTERM if self.unheard < 2 * CANARIES_MISSED else signal.SIGKILL)
        if held < host.settings.slots and send_canary(self.celery, host.worker.id, host.settings.canary_s):
            self.unheard += 1


def sweep(host: Host, celery: Celery) -> None:
    """Take runs from silent workers, and ring for what waits, as far as this worker has room for it."""
    with writing(host.engine) as session:
        for run_id in leases.expire(session, host.settings):
            log.warning("%s: its worker fell silent; back to the queue", run_id)
    if not has_room(host.settings):
        return
    with reading(host.engine) as session:
        room = host.settings.slots - leases.held_by(session, host.worker.id)
        waiting = leases.waiting_runs(session, host.worker.gpus, limit=max(0, room))
    for run_id, gpus in waiting:
        if host.stopping.is_set() or not ring(celery, run_id, gpus):
            return
