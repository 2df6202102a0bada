"""Rings the doorbell from a thread of its own, so that no request waits for Redis. What is not rung for, a worker's
sweeper rings for a few seconds later."""

import logging
from queue import Empty, Full, Queue
from threading import Thread

from celery import Celery

from runs.queue import ring
from runs.tables import RunRow

WAITING = 1000
PATIENCE_S = 5.0
log = logging.getLogger(__name__)
Call = tuple[str, int | None]  # a run's id and GPUs


class Bell:
    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._calls: Queue[Call | None] = Queue(WAITING)
        self._thread = Thread(target=self._ring_on, name="bell", daemon=True)
        self._thread.start()

    def ring(self, run: RunRow) -> None:
        try:
            self._calls.put_nowait((run.id, run.gpus))
        except Full:
            log.warning("%s waits for a sweeper: %d others are to be rung for first", run.id, WAITING)

    def close(self) -> None:
        """After what was asked for, if Redis answers."""
        self._calls.put(None)
        self._thread.join(PATIENCE_S)
        self._celery.close()

    def _ring_on(self) -> None:
        while call := self._calls.get():
            if not ring(self._celery, *call):
                self._let_go()

    def _let_go(self) -> None:
        """Redis is away, and each call would wait for it in turn."""
        try:
            while (call := self._calls.get_nowait()) is not None:
                log.debug("%s waits for a sweeper", call[0])
        except Empty:
            return
        self._calls.put(None)  # closing, which is not forgotten
