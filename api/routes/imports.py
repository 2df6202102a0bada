"""Runs that were made elsewhere come in as their events."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.deps import Config, Db, Submitter
from api.schemas import NO_ROOM, RunDetail
from runs import imports
from runs.submission import Order, Service

router = APIRouter(prefix="/imports", tags=["imports"])
NDJSON: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A header (`runs/import_lines.py`), then events (`trapo_core/events.py`), a JSON line each.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}


@router.post("", status_code=201, responses=NO_ROOM, openapi_extra=NDJSON)
async def import_run(
    request: Request, response: Response, db: Db, config: Config, caller: Submitter,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> RunDetail:  # fmt: skip
    """All of it or nothing. The same Idempotency-Key with the same body answers with the run that it made."""
    service, order = Service(db, config), Order(caller.principal, idempotency_key)
    service.check_room(int(request.headers.get("content-length", 0)))
    with imports.incoming(config) as body:
        try:
            async for chunk in request.stream():
                await run_in_threadpool(body.write, chunk)
        except ClientDisconnect as error:
            raise HTTPException(400, "the body was cut off") from error
        run, fresh = await run_in_threadpool(imports.make, service, body, order)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    response.headers["Idempotency-Replayed"] = str(not fresh).lower()
    return RunDetail.model_validate(run)
