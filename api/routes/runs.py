"""Runs: submit, list, look at, and ask to cancel, pause or resume."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Engine

from api.deps import Config, Db, Doorbell, NeedsWrite, Writer
from api.queries import RunQuery
from api.schemas import Page, Plan, Run, RunDetail
from runs import labels, listing, store
from runs.admission import admit, plan
from runs.db import reading, writing
from runs.queue import ring
from runs.settings import Settings
from runs.tables import RunRow
from runs.workers import live_gpus
from trapo_core.devices import DeviceName

router = APIRouter(prefix="/runs", tags=["runs"])
Spec = Annotated[dict[str, Any], Body(description="A spec: see `trapo_core/spec.py` and the recipes.")]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255)]


class DryRun(BaseModel):
    dry_run: bool = Field(False, description="Only say what the run would do and take.")
    gpu: DeviceName | None = Field(None, description="Which one is estimated; by default an H100, or the CPU.")


@router.post("", status_code=201, responses={200: {"model": Plan, "description": "With dry_run: nothing is stored."}})
def create_run(
    body: Spec, response: Response, db: Db, config: Config, celery: Doorbell, caller: Writer,
    asked: Annotated[DryRun, Query()], idempotency_key: IdempotencyKey = None,
) -> RunDetail | Plan:  # fmt: skip
    """Submit a run. The same Idempotency-Key with the same body answers with the run that it made."""
    if asked.dry_run:
        response.status_code = 200
        return _plan(db, config, body, asked.gpu)
    run, fresh = _submit(db, config, body, caller.principal, idempotency_key)
    if fresh:
        ring(celery, run.id)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    response.headers["Idempotency-Replayed"] = str(not fresh).lower()
    return RunDetail.model_validate(run)


def _plan(db: Engine, config: Settings, body: dict[str, Any], device: DeviceName | None) -> Plan:
    with reading(db) as session:
        gpus = live_gpus(session, config)
    return Plan(**plan(admit(body, config, gpus), config, gpus, device))


def _submit(db: Engine, config: Settings, body: dict[str, Any], principal: str, key: str | None) -> tuple[RunRow, bool]:
    """(the run, whether it is new). The inputs are read before the transaction that stores the run."""
    with reading(db) as session:
        gpus = live_gpus(session, config)
        before = store.replayed(session, principal, key, body)
    if before:
        return before, False
    spec = admit(body, config, gpus)
    with writing(db) as session:
        if before := store.replayed(session, principal, key, body):  # its twin was faster
            return before, False
        run = store.create_run(session, spec, principal)
        if key:
            store.remember(session, principal, key, body, run.id)
    return run, True


@router.get("")
def list_runs(db: Db, asked: Annotated[RunQuery, Query()]) -> Page[Run]:
    """Newest first, if not asked otherwise."""
    with reading(db) as session:
        rows, following = listing.page(session, asked.filter(), asked.limit, asked.cursor, asked.sort)
    return Page(data=[Run.model_validate(row) for row in rows], next_cursor=following)


@router.get("/{run_id}")
def get_run(run_id: str, response: Response, db: Db) -> RunDetail:
    """The ETag is of what PATCH can change."""
    with reading(db) as session:
        run = store.get_run(session, run_id)
    response.headers["ETag"] = labels.etag(run)
    return RunDetail.model_validate(run)


@router.post("/{run_id}/cancel", dependencies=[NeedsWrite])
def cancel_run(run_id: str, db: Db) -> Run:
    """At once if it waits; else its process finishes the step, saves a checkpoint and ends."""
    with writing(db) as session:
        return Run.model_validate(store.cancel(session, run_id))


@router.post("/{run_id}/pause", dependencies=[NeedsWrite])
def pause_run(run_id: str, db: Db) -> Run:
    """Like cancel, but `resume` continues from the checkpoint."""
    with writing(db) as session:
        return Run.model_validate(store.pause(session, run_id))


@router.post("/{run_id}/resume", dependencies=[NeedsWrite])
def resume_run(run_id: str, db: Db, celery: Doorbell) -> Run:
    """A paused or failed run continues from its last checkpoint."""
    with writing(db) as session:
        run = Run.model_validate(store.resume(session, run_id))
    if run.state == "queued":
        ring(celery, run_id)
    return run
