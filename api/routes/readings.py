"""What a run has said: attempts, events, curves, guidance, scores."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from api.deps import Config, Db
from api.ranges import BYTES, download
from api.schemas.base import Page
from api.schemas.curves import Curve, Curves, SeriesInfo, SeriesQuery
from api.schemas.evaluations import Score
from api.schemas.guidance import Guidance, GuidanceStep
from api.schemas.runs import Attempt, RunEvent
from runs.db import reading
from runs.errors import NotFoundError
from runs.life import store
from runs.record import curves, downloads, guidance, happenings, points
from runs.record.happenings import EventFilter
from runs.record.rollups import history
from trapo_core.events import EVENTS_FILE

router = APIRouter(tags=["readings"])
LARGEST = 2**63 - 1  # of a database's integer
Step = Annotated[int, Query(ge=0, le=LARGEST)]


class AskedPoints(BaseModel):
    key: list[Annotated[str, Field(max_length=120)]] = Field([], max_length=50, description="Repeatable; none: all.")


@router.get("/runs/{run_id}/attempts")
def list_attempts(run_id: str, db: Db) -> Page[Attempt]:
    """Every process start of the run, oldest first."""
    with reading(db) as session:
        return Page(data=[Attempt.model_validate(row) for row in store.attempts(session, run_id)])


class AskedEvents(BaseModel):
    after: int = Field(0, ge=0, le=LARGEST)
    before: int | None = Field(None, ge=0, le=LARGEST)
    sort: Literal["seq", "-seq"] = "seq"
    type: list[Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$")]] = Field([], max_length=30)
    contains: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] = None
    up_to_step: int | None = Field(None, ge=0, lt=2**31, description="No event behind the last step up to this one.")
    up_to: AwareDatetime | None = None
    limit: int = Field(200, ge=1, le=1000)


@router.get("/runs/{run_id}/events")
def list_events(run_id: str, db: Db, asked: Annotated[AskedEvents, Query()]) -> Page[RunEvent]:
    """Oldest first, or with `sort=-seq` newest. `next_cursor` is the last seq, to be given as `after`, or `before`;
    null when there was nothing."""
    wanted = EventFilter(
        asked.after, asked.before, tuple(asked.type), asked.contains, asked.up_to_step, asked.up_to
    )  # fmt: skip
    with reading(db) as session:
        store.get_run(session, run_id)
        rows = happenings.page(session, run_id, wanted, asked.limit, newest=asked.sort == "-seq")
    data = [RunEvent.model_validate(row) for row in rows]
    return Page(data=data, next_cursor=str(data[-1].seq) if data else None)


@router.get("/runs/{run_id}/events-file", response_class=StreamingResponse, responses=BYTES)
def read_events_file(run_id: str, request: Request, db: Db, config: Config) -> StreamingResponse:
    """What the training process told, line by line, as it wrote it: for an export, which can be imported again."""
    with reading(db) as session:
        path = config.run_dir(store.get_run(session, run_id).id) / EVENTS_FILE
    if not path.is_file():
        raise NotFoundError(f"Run {run_id} has told nothing yet.", "It begins when a worker takes the run.")
    return download(downloads.of_file(path), f"{run_id}-{EVENTS_FILE}", "application/x-ndjson", request.headers)


@router.get("/runs/{run_id}/series")
def list_series(run_id: str, db: Db) -> Page[SeriesInfo]:
    with reading(db) as session:
        store.get_run(session, run_id)
        return Page(data=[SeriesInfo.model_validate(info) for info in curves.catalogue(session, run_id)])


@router.post("/series:query", response_model=Curves)
def query_series(query: SeriesQuery, db: Db) -> Response:
    """Many curves at once, in the order of run_ids, then keys. A run without a series gets an empty curve."""
    with reading(db) as session:
        found = curves.read_curves(
            session, query.run_ids, query.keys, query.points, query.from_step, query.to_step, query.smooth
        )
    # Our own numbers, ten thousand of them: written down once, and not checked on the way.
    data = [Curve.model_construct(**vars(curve)) for curve in found]
    return Response(Curves.model_construct(data=data).model_dump_json(), media_type="application/json")


@router.get(
    "/runs/{run_id}/points",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "key,step,value"}},
)
def read_points(run_id: str, db: Db, asked: Annotated[AskedPoints, Query()]) -> StreamingResponse:
    """Every point that counts, exactly, as CSV by key and step: for an export, not for a chart. What is not finite is
    written NaN, Infinity or -Infinity."""
    with reading(db) as session:
        store.get_run(session, run_id)
        past, series = history(session, run_id), points.series_of(session, run_id, asked.key)
    return StreamingResponse(points.as_csv(db, past, series), media_type="text/csv")


@router.get("/runs/{run_id}/guidance")
def read_guidance(
    run_id: str,
    db: Db,
    from_step: Step = 0,
    to_step: Step | None = None,
    points: Annotated[int, Query(ge=1, le=2000)] = 400,
) -> Guidance:
    """Prefix lengths and slot outcomes per step; long runs are thinned by adding up neighbouring steps."""
    with reading(db) as session:
        store.get_run(session, run_id)
        width, steps = guidance.read_guidance(session, run_id, points, from_step, to_step)
    return Guidance(steps_per_bucket=width, data=[GuidanceStep.model_validate(step) for step in steps])


@router.get("/runs/{run_id}/scores")
def list_scores(run_id: str, db: Db) -> Page[Score]:
    with reading(db) as session:
        store.get_run(session, run_id)
        return Page(data=[Score.model_validate(row) for row in curves.scores(session, run_id)])
