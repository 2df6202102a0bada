"""The workers that have spoken, and whether they are alive by the database's clock."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from runs.db import database_time, now
from runs.settings import Settings
from runs.states import ACTIVE
from runs.tables import RunRow, WorkerRow

FORGET_S = 24 * 3600.0


@dataclass(frozen=True)
class WorkerInfo:
    id: str
    host: str
    gpus: int
    slots: int
    heartbeat_at: datetime
    alive: bool
    run_ids: list[str]


def heartbeat(session: Session, row: WorkerRow) -> None:
    """The worker says that it lives; a day's silent ones are forgotten."""
    session.execute(delete(WorkerRow).where(WorkerRow.heartbeat_at < now() - FORGET_S))
    known = session.get(WorkerRow, row.id)
    if known is None:
        values = {"id": row.id, "host": row.host, "pid": row.pid, "gpus": row.gpus, "slots": row.slots}
        session.add(WorkerRow(**values))
    else:
        known.heartbeat_at = now()  # type: ignore[assignment]


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
            alive=present - row.heartbeat_at.timestamp() < settings.lease_s, run_ids=held.get(row.id, []),
        )
        for row in rows
    ]  # fmt: skip


def live_gpus(session: Session, settings: Settings) -> list[int]:
    """The number of GPUs of each live worker."""
    return [worker.gpus for worker in list_workers(session, settings) if worker.alive]
