"""GET /stream; see `api/stream.py`."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse

from api.deps import Streaming
from api.stream import News

router = APIRouter(tags=["stream"])
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # no proxy shall collect what it passes on
_FIELDS: dict[str, Any] = {name: {"type": "string"} for name in ("data", "event", "id")}
_EVENT = {"type": "object", "properties": {**_FIELDS, "retry": {"type": "integer", "minimum": 0}}}
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"itemSchema": _EVENT}}}}


@router.get("/stream", response_class=StreamingResponse, response_model=None, responses=EVENTS)
async def stream_events(
    request: Request,
    admitted: Streaming,
    run: Annotated[list[str] | None, Query(description="Only these runs; none means all.")] = None,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> EventSourceResponse:
    """Events as they come, until the caller's key or session ends: from `Last-Event-ID` if given, else from `after`,
    else from now. id = seq, event = type, data = RunEvent."""
    news: News = request.app.state.news
    events = news.stream(run or [], after if last_event_id is None else last_event_id)
    return EventSourceResponse(admitted.while_known(events), headers=HEADERS)
