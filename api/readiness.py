"""Whether the database can be used, for whoever asks: anybody may, and as often as they like, so it is remembered."""

import asyncio
from collections.abc import Callable
from time import monotonic

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine

from runs.db import AWAY
from runs.migrate import is_current

REMEMBERED_S = 1.0


class Readiness:
    """Asks the database one question at a time, and none before the last answer is a second old, whatever it was. Who
    comes meanwhile waits without a thread."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = monotonic) -> None:
        self._engine, self._clock = engine, clock
        self._asking = asyncio.Lock()
        self._ready, self._known_until = False, float("-inf")

    async def ready(self) -> bool:
        async with self._asking:
            if self._clock() >= self._known_until:
                self._ready = await run_in_threadpool(_answers, self._engine)
                self._known_until = self._clock() + REMEMBERED_S
            return self._ready


def _answers(engine: Engine) -> bool:
    """It is there and has the newest schema."""
    try:
        return is_current(engine)
    except AWAY:
        return False
