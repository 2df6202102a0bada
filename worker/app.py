"""One worker: Celery's threads wait for the doorbell, a sweeper keeps the queue honest."""

import os
import socket
from contextlib import suppress
from threading import Event
from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from kombu import Queue
from ulid import ULID

from runs.db import AWAY, make_engine, writing
from runs.life import workers
from runs.life.leases import Worker
from runs.migrate import is_current
from runs.queue import GPU_QUEUE, QUEUE, make_celery, own_queue
from runs.settings import Settings
from runs.tables import WorkerRow
from worker.gpus import find_gpus
from worker.supervisor import Host
from worker.sweeper import Sweeper
from worker.tasks import add_tasks


def make_host(settings: Settings) -> Host:
    """This host as a worker; nothing is registered yet."""
    engine = make_engine(settings.database_url)
    if not is_current(engine):
        raise RuntimeError("The database has not the newest schema. Run `python -m runs.migrate` first.")
    gpus = find_gpus(settings.gpus)
    return Host(engine, settings, Worker(f"wkr_{ULID()}", socket.gethostname(), len(gpus), tuple(gpus)), Event())


def serve(settings: Settings) -> None:
    """Until SIGTERM: then every training process saves and stops, and its run goes back to the queue."""
    host = make_host(settings)
    celery = make_celery(settings)
    celery.conf.task_queues = queues(host.worker)
    add_tasks(celery, host)
    sweeper = Sweeper(host, celery, row_of(host))

    def on_ready(**_: Any) -> None:
        sweeper.start()

    def on_shutting_down(**_: Any) -> None:
        host.stopping.set()  # at once; a soft shutdown of Celery's would sleep before it sends this signal

    worker_ready.connect(on_ready, weak=False)
    worker_shutting_down.connect(on_shutting_down, weak=False)
    try:
        celery.worker_main(arguments(settings))
    finally:
        _sign_off(host, sweeper)


def queues(worker: Worker) -> list[Queue]:
    """What this worker listens to. Its own queue goes with it."""
    shared = [QUEUE, GPU_QUEUE] if worker.gpus else [QUEUE]
    return [*map(Queue, shared), Queue(own_queue(worker.id), auto_delete=True)]


def row_of(host: Host) -> WorkerRow:
    return WorkerRow(
        id=host.worker.id, host=host.worker.host, pid=os.getpid(), gpus=host.worker.gpus, slots=host.settings.slots
    )


def arguments(settings: Settings) -> list[str]:
    """Threads, not processes: the supervisor only waits, and a fork would copy its database connections."""
    return [
        "worker", "--pool=threads", f"--concurrency={settings.slots}", "--loglevel=WARNING", "--without-gossip",
        "--without-mingle", "--hostname=trapo@%h",
    ]  # fmt: skip


def _sign_off(host: Host, sweeper: Sweeper) -> None:
    sweeper.halt.set()
    if sweeper.is_alive():
        sweeper.join(10)
    with suppress(*AWAY), writing(host.engine) as session:
        workers.sign_off(session, host.worker.id)
