"""Server-sent events: every run's news in one stream, read from the events table.

`seq` is the SSE id and numbers become visible in their order (`runs/db.py: writing`), so a reader that returns with its
last id misses nothing. No session is held open; however many streams wait, the database is asked for its newest number
only a few times a second.
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent
from sqlalchemy import Engine

from api.schemas import RunEvent
from runs import store
from runs.db import reading

POLL_S = 0.25
BATCH = 500


class News:
    """The newest seq, shared by all streams of this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seq = 0
        self._asked_at = -POLL_S
        self._lock = asyncio.Lock()

    async def newest(self) -> int:
        """At most `POLL_S` old."""
        async with self._lock:
            if monotonic() - self._asked_at >= POLL_S:
                self._seq = await run_in_threadpool(_newest_seq, self._engine)
                self._asked_at = monotonic()
        return self._seq

    async def stream(self, run_ids: list[str], after: int | None) -> AsyncIterator[ServerSentEvent]:
        """Events with seq above `after` (None: from now on), of these runs or of all."""
        newest = await self.newest()
        cursor = newest if after is None else min(after, newest)
        yield ServerSentEvent(comment="connected", retry=1000)
        while True:
            newest = await self.newest()
            if newest <= cursor:
                await asyncio.sleep(POLL_S)
                continue
            found = await run_in_threadpool(_read, self._engine, run_ids, cursor, newest)
            for event in found:
                yield ServerSentEvent(raw_data=event.model_dump_json(), event=event.type, id=str(event.seq))
            cursor = found[-1].seq if len(found) == BATCH else newest


def _newest_seq(engine: Engine) -> int:
    with reading(engine) as session:
        return store.newest_seq(session)


def _read(engine: Engine, run_ids: list[str], after: int, up_to: int) -> list[RunEvent]:
    with reading(engine) as session:
        return [RunEvent.model_validate(row) for row in store.events(session, run_ids, after, BATCH, up_to)]
