"""PATCH of a run: its name, tags, notes and priority."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from api.deps import Db, NeedsSubmit
from api.schemas.base import Problem
from api.schemas.runs import RunDetail, RunPatch
from runs.db import writing
from runs.life import labels

router = APIRouter(tags=["runs"])


@router.patch("/runs/{run_id}", dependencies=[NeedsSubmit], responses={412: {"model": Problem}})
def patch_run(
    run_id: str, body: RunPatch, response: Response, db: Db, if_match: Annotated[str | None, Header()] = None
) -> RunDetail:  # fmt: skip
    """Another name, other tags or notes; another priority while it waits, else 409. With If-Match only if they are
    still as the caller saw them, else 412."""
    with writing(db) as session:
        run = labels.relabel(session, run_id, body.model_dump(exclude_none=True), if_match)
    response.headers["ETag"] = labels.etag(run)
    return RunDetail.model_validate(run)
