"""A run's log as server-sent events. Nothing is lost: an attempt is over when its row says so, and is then read to its
last byte, a line without an end too."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent
from sqlalchemy import Engine

from api.stream import ALIVE, SILENCE_S
from runs import files
from runs.db import reading
from runs.files import Part
from runs.life import store
from runs.settings import Settings
from runs.states import ACTIVE, State

POLL_S = 0.25
PART_BYTES = 65_536
FROM_THE_END_BYTES = 16_384
GOING_ON = ACTIVE | {State.queued}  # another attempt may come


@dataclass(frozen=True)
class Place:
    """Behind byte `offset` of an attempt's log; attempt 0 is the newest there is, offset None near its end."""

    attempt: int
    offset: int | None

    @classmethod
    def parse(cls, text: str) -> "Place":
        attempt, _, offset = text.partition(":")
        return cls(int(attempt), int(offset))

    def __str__(self) -> str:
        return f"{self.attempt}:{self.offset}"


@dataclass(frozen=True)
class _Said:
    """What one look found: a part of the place's attempt, whether that is all it will say, and whether another attempt
    may follow, or does."""

    place: Place
    part: Part
    is_whole: bool
    newest: int
    goes_on: bool


async def tail(engine: Engine, settings: Settings, run_id: str, place: Place | None) -> AsyncIterator[ServerSentEvent]:
    place = place or Place(0, None)
    yield ServerSentEvent(comment="connected", retry=1000)
    spoken_at = monotonic()
    while True:
        said = await run_in_threadpool(_look, engine, settings, run_id, place)
        place, part = said.place, said.part
        if part.end > part.offset:
            place = Place(place.attempt, part.end)
            data = {"attempt": place.attempt, "offset": part.offset, "text": part.text}
            yield ServerSentEvent(raw_data=json.dumps(data), event="log", id=str(place))
            spoken_at = monotonic()
        elif said.is_whole and place.attempt < said.newest:
            place = Place(place.attempt + 1, 0)
        elif said.is_whole and not said.goes_on:
            yield ServerSentEvent(raw_data="{}", event="end", id=str(place))
            return
        elif monotonic() - spoken_at >= SILENCE_S:
            yield ServerSentEvent(raw_data="{}", event=ALIVE)
            spoken_at = monotonic()
        else:
            await asyncio.sleep(POLL_S)


def _look(engine: Engine, settings: Settings, run_id: str, place: Place) -> _Said:
    """The rows first, then the file: what is said before an attempt's end is in the file when its row says so."""
    with reading(engine) as session:
        run = store.get_run(session, run_id)
        ended = {row.number for row in store.attempts(session, run_id) if row.ended_at}
    # A run that waits for its first attempt has none: look at the one that will come.
    number = place.attempt or max(run.attempts, 1)
    is_whole = number in ended or (run.attempts < number and run.state not in GOING_ON)
    path = files.log_path(settings.run_dir(run.id), number)
    offset = place.offset
    if offset is None:
        offset = max(0, path.stat().st_size - FROM_THE_END_BYTES) if path.is_file() else 0
    part = files.read_part(path, offset, PART_BYTES, is_whole)
    return _Said(Place(number, offset), part, is_whole, run.attempts, run.state in GOING_ON)
