"""What the service is at: workers, the GPUs that runs hold, leases, the queue, and the disk. Times by the database's
clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from runs.db import database_time
from runs.files import free_bytes
from runs.life.workers import WorkerInfo, list_workers
from runs.settings import Settings
from runs.states import ACTIVE, Desired, State
from runs.tables import AttemptRow, EventRow, GpuSlotRow, RunRow

QUEUE_SHOWN = 200


@dataclass(frozen=True)
class Held:
    """A run that a worker is at, and until when without another word of it."""

    run_id: str
    name: str
    state: str
    desired: str
    step: int
    total_steps: int
    worker_id: str | None
    host: str
    attempt: int
    gpu_ids: list[str]
    expires_in_s: float | None


@dataclass(frozen=True)
class Waiting:
    """A run in the queue. `gpus` null: one if the host has any. `not_before_s`: it rests so long after a failure."""

    run_id: str
    name: str
    priority: int
    gpus: int | None
    created_by: str
    waits_s: float
    not_before_s: float | None
    reason: str | None


@dataclass(frozen=True)
class System:
    workers: list[WorkerInfo]
    held: list[Held]
    gpus: dict[str, str]
    queue: list[Waiting]
    queued: int
    free_bytes: int
    min_free_bytes: int
    lease_s: float


def read_system(session: Session, settings: Settings) -> System:
    present = database_time(session)
    waiting = (RunRow.state == State.queued, RunRow.deleted_at.is_(None))
    slots = select(GpuSlotRow.gpu, GpuSlotRow.run_id).order_by(GpuSlotRow.gpu)
    queue = _queue().where(*waiting).limit(QUEUE_SHOWN)
    return System(
        workers=list_workers(session, settings),
        held=[_held(row, present) for row in session.execute(_leases())],
        gpus=dict(session.execute(slots).tuples().all()),
        queue=[_waiting(run, since, present) for run, since in session.execute(queue)],
        queued=session.scalar(select(func.count()).select_from(RunRow).where(*waiting)) or 0,
        free_bytes=free_bytes(settings.home),
        min_free_bytes=settings.min_free_bytes,
        lease_s=settings.lease_s,
    )


def _leases() -> Select[RunRow, AttemptRow]:
    now_at = and_(AttemptRow.run_id == RunRow.id, AttemptRow.number == RunRow.attempts)
    held = select(RunRow, AttemptRow).outerjoin(AttemptRow, now_at).where(RunRow.state.in_(ACTIVE))
    return held.order_by(RunRow.lease_expires_at, RunRow.id)


def _held(row: Any, present: float) -> Held:
    run, attempt = row
    expires = run.lease_expires_at
    return Held(
        run.id, run.name, run.state, run.desired, run.step, run.total_steps, run.owner,
        attempt.host if attempt else "", run.attempts, attempt.gpu_ids if attempt else [],
        None if expires is None else expires.timestamp() - present,
    )  # fmt: skip


def _queue() -> Select[RunRow, datetime]:
    """In the order of claiming, each with the time of the event that queued it."""
    said = select(EventRow.ts).where(EventRow.run_id == RunRow.id, EventRow.type.in_(("run_created", "run_state")))
    since = said.order_by(EventRow.seq.desc()).limit(1).scalar_subquery()
    order = RunRow.priority.desc(), RunRow.id
    return select(RunRow, since).where(RunRow.desired == Desired.run).order_by(*order)


def _waiting(run: RunRow, since: datetime | None, present: float) -> Waiting:
    rests = None if run.not_before is None else run.not_before.timestamp() - present
    return Waiting(
        run.id, run.name, run.priority, run.gpus, run.created_by,
        max(0.0, present - (since or run.created_at).timestamp()), rests if rests and rests > 0 else None, run.reason,
    )  # fmt: skip
