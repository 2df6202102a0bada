"""Work that must never hold up a run: a thread of its own, behind a queue with an end.

The run hands things over without waiting. Where the queue is full they are missed, and counted; what the work raises
is kept for the run to tell; and work that does not end in time is left behind, for its thread is a daemon.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

QUEUE_SIZE = 10_000  # a slow network costs points of a curve, never the run's memory
THREAD_PREFIX = "aside-"

Item = TypeVar("Item")


class _End:
    """What is queued last."""


class Aside(Generic[Item]):
    """Runs `work(items)` in a thread, where `items` yields what `put` is given, until `end`."""

    def __init__(self, name: str, work: Callable[[Iterator[Item]], None], size: int = QUEUE_SIZE) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self.missed = 0
        self._queue: Queue[Item | _End] = Queue(size)
        self._work = work
        self._thread = threading.Thread(target=self._run, name=THREAD_PREFIX + name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over, or miss; never waits."""
        try:
            self._queue.put_nowait(item)
        except Full:
            self.missed += 1

    def end(self) -> None:
        """No more comes. Never waits: a full queue loses its oldest item to make room for that news."""
        while True:
            try:
                return self._queue.put_nowait(_End())
            except Full:
                with suppress(Empty):
                    self._queue.get_nowait()
                    self.missed += 1

    def done(self, deadline: float) -> bool:
        """Whether the work, told its end, is over by `deadline` (of time.monotonic); also if it failed."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _items(self) -> Iterator[Item]:
        while not isinstance(item := self._queue.get(), _End):
            yield item

    def _run(self) -> None:
        try:
            self._work(self._items())
        except BaseException as error:  # noqa: BLE001 - other people's code may raise anything; the run tells it
            self.failure = error


def left_behind() -> bool:
    """Whether such a thread is still at work in this process."""
    return any(thread.name.startswith(THREAD_PREFIX) for thread in threading.enumerate())
