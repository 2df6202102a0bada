"""Work that may take long, beside a thread that has to be on time."""

import logging
from collections.abc import Callable
from threading import Thread

from runs.db import AWAY

log = logging.getLogger(__name__)


class Aside:
    """`work` in a thread of its own, one at a time: whoever asks for it does not wait."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self._name, self._work = name, work
        self._thread: Thread | None = None

    def go(self) -> None:
        """Do it, unless the last time is still under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._do, name=self._name, daemon=True)
            self._thread.start()

    def _do(self) -> None:
        try:
            self._work()
        except AWAY as error:
            log.warning("The database is away, so the %s waits: %s", self._name, error)
