"""Sweeps: runs that differ in some fields and in their seed, under one parent."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.deps import Config, Db, Doorbell, NeedsSubmit, Submitter
from api.routes.runs import IdempotencyKey
from api.schemas.base import NO_ROOM, Page
from api.schemas.sweeps import Sweep, SweepDetail, SweepPlan, SweepRun
from runs.db import reading, writing
from runs.life import sweeps
from runs.life.submission import Order, Service
from runs.tables import SweepRow

router = APIRouter(prefix="/sweeps", tags=["sweeps"])


@router.post("", status_code=201, responses=NO_ROOM)
def create_sweep(
    body: SweepPlan, response: Response, db: Db, config: Config, bell: Doorbell, caller: Submitter,
    idempotency_key: IdempotencyKey = None,
) -> SweepDetail:  # fmt: skip
    """A run for every combination of the matrix and every seed: all are made, or none."""
    plan = sweeps.Plan(body.name, body.spec, body.matrix, body.seeds)
    order = Order(caller.principal, idempotency_key, body.priority)
    sweep, runs, fresh = sweeps.submit(Service(db, config), plan, order)
    if fresh:
        for run in runs:
            bell.ring(run)
    response.headers["Location"] = f"/api/v1/sweeps/{sweep.id}"
    response.headers["Idempotency-Replayed"] = str(not fresh).lower()
    with reading(db) as session:
        return _detail(session, sweep)


@router.get("")
def list_sweeps(
    db: Db, limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^\w{1,40}$")] = None, archived: bool = False, deleted: bool = False,
) -> Page[Sweep]:  # fmt: skip
    """Newest first; those that are archived or deleted only if asked for."""
    with reading(db) as session:
        rows = sweeps.list_sweeps(session, limit + 1, cursor, archived=archived, deleted=deleted)
        tallies = sweeps.tallies(session, [row.id for row in rows])
    return Page.cut([_sweep(row, tallies[row.id]) for row in rows], limit, "id")


@router.get("/{sweep_id}")
def get_sweep(sweep_id: str, db: Db) -> SweepDetail:
    with reading(db) as session:
        return _detail(session, sweeps.get_sweep(session, sweep_id))


@router.post("/{sweep_id}/cancel", dependencies=[NeedsSubmit])
def cancel_sweep(sweep_id: str, db: Db) -> SweepDetail:
    """Cancels every run of it that has not ended."""
    with writing(db) as session:
        return _detail(session, sweeps.cancel(session, sweep_id))


@router.post("/{sweep_id}/archive", dependencies=[NeedsSubmit])
def archive_sweep(sweep_id: str, db: Db) -> SweepDetail:
    """All its runs, out of the lists; everything is kept. 409 while one of them waits or runs."""
    with writing(db) as session:
        return _detail(session, sweeps.archive(session, sweep_id))


@router.post("/{sweep_id}/unarchive", dependencies=[NeedsSubmit])
def unarchive_sweep(sweep_id: str, db: Db) -> SweepDetail:
    with writing(db) as session:
        return _detail(session, sweeps.unarchive(session, sweep_id))


@router.delete("/{sweep_id}", dependencies=[NeedsSubmit])
def delete_sweep(sweep_id: str, db: Db) -> SweepDetail:
    """All its runs are marked as deleted, and it goes with them after their grace. 409 while one of them waits or
    runs."""
    with writing(db) as session:
        return _detail(session, sweeps.mark_deleted(session, sweep_id))


@router.post("/{sweep_id}/undelete", dependencies=[NeedsSubmit])
def undelete_sweep(sweep_id: str, db: Db, config: Config) -> SweepDetail:
    """A deleted sweep, with all its runs that can still be had back."""
    with writing(db) as session:
        return _detail(session, sweeps.undelete(session, sweep_id, config))


def _sweep(row: SweepRow, tally: sweeps.Tally) -> Sweep:
    return Sweep(
        id=row.id, name=row.name, created_by=row.created_by, created_at=row.created_at, states=tally.states,  # type: ignore[arg-type]
        archived_at=tally.archived_at, deleted_at=tally.deleted_at,
    )  # fmt: skip


def _detail(session: Session, row: SweepRow) -> SweepDetail:
    runs = [SweepRun.model_validate(run) for run in sweeps.children(session, row.id)]
    plain = _sweep(row, sweeps.tallies(session, [row.id])[row.id])
    return SweepDetail(**plain.model_dump(), spec=row.spec, matrix=row.matrix, seeds=row.seeds, runs=runs)
