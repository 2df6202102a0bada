"""GET /stream; see `api/stream.py`."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.stream import News

router = APIRouter(tags=["stream"])


@router.get("/stream", response_class=EventSourceResponse)
async def stream_events(
    request: Request,
    run: Annotated[list[str] | None, Query(description="Only these runs; none means all.")] = None,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Events as they come: from `Last-Event-ID` if given, else from `after`, else from now. id = seq, event = type,
    data = RunEvent."""
    news: News = request.app.state.news
    async for event in news.stream(run or [], after if last_event_id is None else last_event_id):
        yield event
