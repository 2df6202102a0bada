"""How the service is doing, in a few numbers of its rows and its disk."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from runs.db import database_time, reading
from runs.files import free_bytes
from runs.life.store import newest_seq
from runs.life.workers import WorkerInfo, list_workers
from runs.settings import Settings
from runs.states import State
from runs.tables import EventRow, RunRow


@dataclass(frozen=True)
class Figures:
    runs: dict[str, int]
    oldest_queued_s: float
    workers: dict[str, int]
    events: int
    free_bytes: int

    @property
    def queued(self) -> int:
        return self.runs[State.queued]


def read_figures(engine: Engine, settings: Settings) -> Figures:
    with reading(engine) as session:
        count = select(RunRow.state, func.count()).where(RunRow.deleted_at.is_(None)).group_by(RunRow.state)
        states = dict(session.execute(count).tuples().all())
        found = Counter(map(condition, list_workers(session, settings)))
        oldest_s, events = _oldest_queued_s(session), newest_seq(session)
    return Figures(
        runs={state.value: states.get(state, 0) for state in State}, oldest_queued_s=oldest_s,
        workers={name: found[name] for name in ("well", "troubled", "silent")}, events=events,
        free_bytes=free_bytes(settings.home),
    )  # fmt: skip


def condition(worker: WorkerInfo) -> str:
    if not worker.alive:
        return "silent"
    return "troubled" if worker.problem else "well"


def _oldest_queued_s(session: Session) -> float:
    """Since the event that queued it: a run that goes on after a week has not waited for a week."""
    said = select(EventRow.ts).where(EventRow.run_id == RunRow.id, EventRow.type.in_(("run_created", "run_state")))
    since = said.order_by(EventRow.seq.desc()).limit(1).scalar_subquery()
    oldest = session.scalar(select(func.min(since)).where(RunRow.state == State.queued))
    return 0.0 if oldest is None else max(0.0, database_time(session) - oldest.timestamp())
