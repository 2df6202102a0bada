"""Runs that were made elsewhere come in as their events."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.deps import Config, Db, Submitter
from api.schemas.base import NO_ROOM
from api.schemas.runs import RunDetail
from runs.foreign import imports
from runs.foreign.import_rollouts import store_rollouts
from runs.life.submission import Order, Service

router = APIRouter(prefix="/imports", tags=["imports"])


def _lines(description: str) -> dict[str, Any]:
    content = {"application/x-ndjson": {"schema": {"type": "string"}}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


NDJSON = _lines("A header (`runs/foreign/import_lines.py`), then events (`trapo_core/events.py`), a JSON line each.")
ROLLOUTS = _lines("Rollouts (`trapo_core/rollout_schema.py`), a JSON line each.")


@router.post("", status_code=201, responses=NO_ROOM, openapi_extra=NDJSON)
async def import_run(
    request: Request, response: Response, db: Db, config: Config, caller: Submitter,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> RunDetail:  # fmt: skip
    """All of it or nothing. The same Idempotency-Key with the same body answers with the run that it made."""
    service, order = Service(db, config), Order(caller.principal, idempotency_key)
    service.check_room(int(request.headers.get("content-length", 0)))
    with imports.incoming(config) as body:
        await _receive(request, body)
        run, fresh = await run_in_threadpool(imports.make, service, body, order)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    response.headers["Idempotency-Replayed"] = str(not fresh).lower()
    return RunDetail.model_validate(run)


@router.put("/{run_id}/rollouts/{step}", status_code=204, responses=NO_ROOM, openapi_extra=ROLLOUTS)
async def import_rollouts(
    run_id: str, step: Annotated[int, Path(ge=0, lt=2**31)], request: Request, db: Db, config: Config, _: Submitter
) -> None:
    """The rollouts of a step of an imported run, in place of those it had."""
    Service(db, config).check_room(int(request.headers.get("content-length", 0)))
    with imports.incoming(config) as body:
        await _receive(request, body)
        await run_in_threadpool(store_rollouts, db, config, run_id, step, body.file)


async def _receive(request: Request, body: imports.Body) -> None:
    try:
        async for chunk in request.stream():
            await run_in_threadpool(body.write, chunk)
    except ClientDisconnect as error:
        raise HTTPException(400, "the body was cut off") from error
