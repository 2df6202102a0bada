"""Runs: submit, clone, list, look at; cancel, pause, resume, retry; archive and delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Engine

from api.bell import Bell
from api.deps import Config, Db, Doorbell, NeedsSubmit, Submitter
from api.queries import RunQuery
from api.schemas.base import NO_ROOM
from api.schemas.runs import PRIORITY, Clone, Plan, Run, RunDetail, RunPage
from runs.db import reading, writing
from runs.life import labels, listing, removal, store, submission
from runs.life.admission import admit, plan
from runs.life.submission import Order, Service
from runs.settings import Settings
from runs.tables import RunRow
from trapo_core.devices import DeviceName

router = APIRouter(prefix="/runs", tags=["runs"])
Spec = Annotated[dict[str, Any], Body(description="A spec: see `trapo_core/spec.py` and the recipes.")]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255)]


class SubmitOptions(BaseModel):
    priority: int = PRIORITY
    dry_run: bool = Field(False, description="Only say what the run would do and take.")
    gpu: DeviceName | None = Field(None, description="Which one is estimated; by default an H100, or the CPU.")


@router.post(
    "", status_code=201, responses={200: {"model": Plan, "description": "With dry_run: nothing is stored."}, **NO_ROOM}
)
def create_run(
    body: Spec, response: Response, db: Db, config: Config, bell: Doorbell, caller: Submitter,
    asked: Annotated[SubmitOptions, Query()], idempotency_key: IdempotencyKey = None,
) -> RunDetail | Plan:  # fmt: skip
    """Submit a run. The same Idempotency-Key with the same body answers with the run that it made."""
    if asked.dry_run:
        response.status_code = 200
        return _plan(db, config, body, asked.gpu)
    order = Order(caller.principal, idempotency_key, asked.priority)
    return _made(response, bell, *submission.submit(Service(db, config), body, order))


@router.post("/{run_id}/clone", status_code=201, responses=NO_ROOM)
def clone_run(
    run_id: str, body: Clone, response: Response, db: Db, config: Config, bell: Doorbell, caller: Submitter,
    idempotency_key: IdempotencyKey = None,
) -> RunDetail:  # fmt: skip
    """A new run with this one's spec, some fields changed; perhaps with the weights of one of its checkpoints."""
    order = Order(caller.principal, idempotency_key, body.priority)
    made = submission.clone(Service(db, config), run_id, body.overrides, body.from_checkpoint, order)
    return _made(response, bell, *made)


def _plan(db: Engine, config: Settings, body: dict[str, Any], device: DeviceName | None) -> Plan:
    gpus = Service(db, config).live_gpus()
    return Plan(**plan(admit(body, config, gpus), config, gpus, device))


def _made(response: Response, bell: Bell, run: RunRow, fresh: bool) -> RunDetail:
    if fresh:
        bell.ring(run)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    response.headers["Idempotency-Replayed"] = str(not fresh).lower()
    return RunDetail.model_validate(run)


@router.get("")
def list_runs(db: Db, asked: Annotated[RunQuery, Query()]) -> RunPage:
    """Newest first, if not asked otherwise; those that are archived or deleted only if asked for."""
    with reading(db) as session:
        rows, following = listing.page(session, asked.filter(), asked.limit, asked.cursor, asked.sort)
        total = None if asked.cursor else listing.count(session, asked.filter())
    return RunPage(data=[Run.model_validate(row) for row in rows], next_cursor=following, total=total)


@router.get("/{run_id}")
def get_run(run_id: str, response: Response, db: Db) -> RunDetail:
    """The ETag is of what PATCH can change."""
    with reading(db) as session:
        run = store.get_run(session, run_id)
    response.headers["ETag"] = labels.etag(run)
    return RunDetail.model_validate(run)


@router.post("/{run_id}/cancel", dependencies=[NeedsSubmit])
def cancel_run(run_id: str, db: Db) -> Run:
    """At once if it waits; else its process finishes the step, saves a checkpoint and ends."""
    with writing(db) as session:
        return Run.model_validate(store.cancel(session, run_id))


@router.post("/{run_id}/pause", dependencies=[NeedsSubmit])
def pause_run(run_id: str, db: Db) -> Run:
    """Like cancel, but `resume` continues from the checkpoint."""
    with writing(db) as session:
        return Run.model_validate(store.pause(session, run_id))


@router.post("/{run_id}/resume", dependencies=[NeedsSubmit])
def resume_run(run_id: str, db: Db, bell: Doorbell) -> Run:
    """A paused or failed run continues from its last checkpoint."""
    with writing(db) as session:
        run = store.resume(session, run_id)
    if run.state == "queued":
        bell.ring(run)
    return Run.model_validate(run)


@router.post("/{run_id}/retry", dependencies=[NeedsSubmit])
def retry_run(run_id: str, db: Db, bell: Doorbell) -> Run:
    """A failed or cancelled run continues from its last checkpoint, with a fresh retry budget."""
    with writing(db) as session:
        run = store.retry(session, run_id)
    bell.ring(run)
    return Run.model_validate(run)


@router.post("/{run_id}/archive", dependencies=[NeedsSubmit])
def archive_run(run_id: str, db: Db) -> Run:
    """Out of the lists; everything is kept."""
    with writing(db) as session:
        return Run.model_validate(removal.archive(session, run_id))


@router.post("/{run_id}/unarchive", dependencies=[NeedsSubmit])
def unarchive_run(run_id: str, db: Db) -> Run:
    with writing(db) as session:
        return Run.model_validate(removal.unarchive(session, run_id))


@router.delete("/{run_id}", dependencies=[NeedsSubmit])
def delete_run(run_id: str, db: Db) -> Run:
    """Marked as deleted; its rows and files go after a grace, until which `undelete` has it back."""
    with writing(db) as session:
        return Run.model_validate(removal.mark_deleted(session, run_id))


@router.post("/{run_id}/undelete", dependencies=[NeedsSubmit])
def undelete_run(run_id: str, db: Db, config: Config) -> Run:
    with writing(db) as session:
        return Run.model_validate(removal.undelete(session, run_id, config))
