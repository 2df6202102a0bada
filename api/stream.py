"""Server-sent events: every run's news in one stream, read from the events table.

`seq` is the SSE id and numbers become visible in their order (`runs/db.py: writing`), so a reader that returns with its
last id misses nothing. No session is held open. However many streams there are, the newest events are read once, a few
times a second, and handed to all of them from memory; who is further behind reads from the database until it is there.
What is sent is bytes, written once for all streams and many events at a time: the framework's own streams take three
queues and a task switch for each event of each stream.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import format_sse_event
from sqlalchemy import Engine

from api.schemas.runs import RunEvent
from runs.db import reading
from runs.life import store
from runs.tables import EventRow

POLL_S = 0.25
BATCH = 500
KEPT = 4 * BATCH  # events in memory
SILENCE_S = 15.0  # after which a stream says that it lives
# An event, since no page hears a comment; without an id, so that nobody begins again from it.
ALIVE = "alive"


@dataclass(frozen=True)
class Told:
    """One event as it is sent."""

    seq: int
    run_id: str
    text: bytes


@dataclass(frozen=True)
class Latest:
    """All events with seq above `since`, up to `seq`. Replaced, never changed: readers look while others renew it."""

    since: int
    seq: int
    events: list[Told]

    def after(self, cursor: int) -> list[Told]:
        return self.events[bisect_right(self.events, cursor, key=lambda event: event.seq) :]


class News:
    """The newest events, shared by all streams of this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._latest: Latest | None = None
        self._asked_at = -POLL_S
        self._lock = asyncio.Lock()
        self.clients = 0  # streams that are open now

    async def latest(self) -> Latest:
        """At most `POLL_S` old."""
        async with self._lock:
            if self._latest is None or monotonic() - self._asked_at >= POLL_S:
                self._latest = await run_in_threadpool(_renewed, self._engine, self._latest)
                self._asked_at = monotonic()
            return self._latest

    async def stream(self, run_ids: list[str], after: int | None) -> AsyncIterator[bytes]:
        """Events with seq above `after` (None: from now on), of these runs or of all."""
        self.clients += 1
        try:
            async for message in self._stream(run_ids, after):
                yield message
        finally:
            self.clients -= 1

    async def _stream(self, run_ids: list[str], after: int | None) -> AsyncIterator[bytes]:
        latest = await self.latest()
        cursor = latest.seq if after is None else min(after, latest.seq)
        wanted = frozenset(run_ids)
        yield format_sse_event(comment="connected", retry=1000)
        spoken_at = monotonic()
        while True:
            latest = await self.latest()
            found: list[Told] = []
            if cursor < latest.since:
                found = await run_in_threadpool(_read, self._engine, run_ids, cursor, latest.seq)
                cursor = found[-1].seq if len(found) == BATCH else latest.seq
            elif cursor < latest.seq:
                found = [event for event in latest.after(cursor) if not wanted or event.run_id in wanted]
                cursor = latest.seq
            if found:
                yield b"".join(event.text for event in found)
            elif monotonic() - spoken_at >= SILENCE_S:
                yield format_sse_event(data_str="{}", event=ALIVE)
            else:
                await asyncio.sleep(POLL_S)
                continue
            spoken_at = monotonic()


def _renewed(engine: Engine, before: Latest | None) -> Latest:
    """With what is new; of a flood, and at first, nothing is kept."""
    with reading(engine) as session:
        seq = store.newest_seq(session)
    if before is None or seq - before.seq > KEPT:
        return Latest(seq, seq, [])
    events, at = list(before.events), before.seq
    while at < seq:
        found = _read(engine, [], at, seq)
        events += found
        at = found[-1].seq if len(found) == BATCH else seq
    since = before.since if len(events) <= KEPT else events[-KEPT - 1].seq
    return Latest(since, max(seq, before.seq), events[-KEPT:])


def _read(engine: Engine, run_ids: list[str], after: int, up_to: int) -> list[Told]:
    with reading(engine) as session:
        rows = store.events(session, run_ids, after, BATCH, up_to)
    return [Told(row.seq, row.run_id, _written(row)) for row in rows]


def _written(row: EventRow) -> bytes:
    event = RunEvent.model_validate(row)
    return format_sse_event(data_str=event.model_dump_json(), event=event.type, id=str(event.seq))
