"""What a run's processes printed: by byte range, its end, or as it comes."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import PlainTextResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.deps import Config, Db, Streaming
from api.tail import Place, tail
from runs import files
from runs.db import reading
from runs.life import store

router = APIRouter(tags=["logs"])
Attempt = Annotated[int | None, Query(ge=1, lt=2**31)]
Offset = Annotated[int | None, Query(ge=0, le=2**62)]
LASTS = {
    200: {
        "headers": {
            name: {"schema": {"type": "integer"}} for name in ("Log-Attempt", "Log-From", "Log-Next", "Log-Size")
        }
    }
}


@router.get("/runs/{run_id}/logs", response_class=PlainTextResponse, responses=LASTS)  # type: ignore[arg-type]
def read_log(
    run_id: str, db: Db, config: Config, attempt: Attempt = None, offset: Offset = None,
    before: Offset = None,
    limit: Annotated[int, Query(ge=4, le=1 << 20)] = 65_536,
    tail_bytes: Annotated[int, Query(ge=1, le=1 << 20)] = 65_536,
) -> PlainTextResponse:  # fmt: skip
    """The newest attempt's by default, and its end, from a whole line on; with `offset`, at most `limit` bytes from
    there: go on at `Log-Next` until it is `Log-Size`. With `before`, at most `limit` bytes of whole lines up to there,
    or to the end of the log: go back to `Log-From` until it is 0. Empty before the attempt starts."""
    with reading(db) as session:
        run = store.get_run(session, run_id)
        ended = {row.number for row in store.attempts(session, run_id) if row.ended_at}
    number = attempt or run.attempts
    path = files.log_path(config.run_dir(run.id), number)
    if offset is None and before is None:
        return PlainTextResponse(files.tail(path, tail_bytes), headers={"Log-Attempt": str(number)})
    read, at = (files.read_before, before) if offset is None else (files.read_part, offset)
    part = read(path, at or 0, limit, whole=number in ended)
    where = {"Attempt": number, "From": part.offset, "Next": part.end, "Size": part.size}
    return PlainTextResponse(part.text, headers={f"Log-{name}": str(value) for name, value in where.items()})


def known_run(run_id: str, db: Db) -> str:
    """Asked before the stream begins: then a 404 is still possible."""
    with reading(db) as session:
        return store.get_run(session, run_id).id


@router.get("/runs/{run_id}/logs/stream", response_class=EventSourceResponse)
async def stream_log(
    run_id: Annotated[str, Depends(known_run)], db: Db, config: Config, admitted: Streaming, attempt: Attempt = None,
    offset: Offset = None,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,9}:\d{1,18}$")] = None,
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """As it comes, from `Last-Event-ID`, else from `attempt` and `offset`, else from the last 16 KiB of the newest
    attempt, and on through later attempts. Event `log` {attempt, offset, text} with id ATTEMPT:BYTE, the place behind
    it; event `end` when the run has ended or waits and everything has been said."""
    place = Place.parse(last_event_id) if last_event_id else Place(attempt or 0, offset) if attempt or offset else None
    async for event in admitted.while_known(tail(db, config, run_id, place)):
        yield event
