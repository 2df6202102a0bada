"""The workers that have spoken, whether they are alive by the database's clock, and what keeps one from working.

A worker may live and be deaf: its threads run, but its Celery consumer takes no messages any more. So each sends itself
a message through the real queue now and then (`worker/sweeper.py`), and every task stamps `heard_at`.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from runs.db import database_time, now
from runs.settings import Settings
from runs.states import ACTIVE
from runs.tables import RunRow, WorkerRow

FORGET_S = 24 * 3600.0
CANARIES_MISSED = 3


@dataclass(frozen=True)
class WorkerInfo:
    id: str
    host: str
    gpus: int
    slots: int
    heartbeat_at: datetime
    alive: bool
    problem: str | None
    run_ids: list[str]
    free_bytes: int | None = None  # on the disk of its home


def problem_of(row: WorkerRow, present: float, busy_slots: int, settings: Settings) -> str | None:
    """Why this worker takes no runs, with the remedy; None if it does, or has no free slot."""
    silent_s = present - row.heartbeat_at.timestamp()
    if silent_s >= settings.lease_s:
        return f"Silent for {silent_s:.0f} s; start it again, or look at its log."
    if row.free_bytes is not None and row.free_bytes < settings.min_free_bytes:
        return f"Its disk has {row.free_bytes} bytes free, and it starts nothing below {settings.min_free_bytes}."
    # A worker whose slots are all taken does not look at its queue, and need not.
    unheard_s = present - (row.heard_at or row.started_at).timestamp()
    if busy_slots < row.slots and unheard_s > CANARIES_MISSED * settings.canary_s:
        return f"Deaf for {unheard_s:.0f} s: no message reaches it. Start it again if Redis is up."
    return None


def heard(session: Session, worker_id: str) -> None:
    """Its consumer has taken a task, or ended one."""
    session.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(heard_at=now()))


def last_heard(session: Session, worker_id: str) -> datetime | None:
    return session.scalar(select(WorkerRow.heard_at).where(WorkerRow.id == worker_id))


def heartbeat(session: Session, row: WorkerRow) -> None:
    """The worker says that it lives; a day's silent ones are forgotten."""
    session.execute(delete(WorkerRow).where(WorkerRow.heartbeat_at < now() - FORGET_S))
    known = session.get(WorkerRow, row.id)
    if known is None:
        values = {"id": row.id, "host": row.host, "pid": row.pid, "gpus": row.gpus, "slots": row.slots}
        session.add(WorkerRow(**values, free_bytes=row.free_bytes))
    else:
        known.heartbeat_at = now()  # type: ignore[assignment]
        known.free_bytes = row.free_bytes


def sign_off(session: Session, worker_id: str) -> None:
    session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))


def list_workers(session: Session, settings: Settings) -> list[WorkerInfo]:
    present = database_time(session)
    held: dict[str, list[str]] = {}
    for run_id, owner in session.execute(
        select(RunRow.id, RunRow.owner).where(RunRow.state.in_(ACTIVE)).order_by(RunRow.id)
    ):
        held.setdefault(owner or "", []).append(run_id)
    rows = session.scalars(select(WorkerRow).order_by(WorkerRow.host, WorkerRow.id)).all()
    return [
        WorkerInfo(
            row.id, row.host, row.gpus, row.slots, row.heartbeat_at,
            alive=present - row.heartbeat_at.timestamp() < settings.lease_s,
            problem=problem_of(row, present, len(held.get(row.id, [])), settings), run_ids=held.get(row.id, []),
            free_bytes=row.free_bytes,
        )
        for row in rows
    ]  # fmt: skip


def live_gpus(session: Session, settings: Settings) -> list[int]:
    """The number of GPUs of each live worker."""
    return list(session.scalars(select(WorkerRow.gpus).where(WorkerRow.heartbeat_at > now() - settings.lease_s)))
