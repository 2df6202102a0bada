"""Who works on a run: claim, renew, give back, and take from the silent. All times are the database's.

Claimed is the run of the highest priority, then the oldest. One that waits for GPUs is not overtaken by others that
need GPUs, or it might wait for ever.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from runs.db import now, storable
from runs.errors import LeaseLostError
from runs.life import gpu_slots
from runs.life.transitions import append_event, move, tell
from runs.settings import Settings
from runs.states import ACTIVE, Desired, Outcome, State, after_attempt, retry_cost
from runs.tables import AttemptRow, CheckpointRow, RunRow


@dataclass(frozen=True)
class Worker:
    """Who is asking. `gpus` is how many its host has, `gpu_ids` what CUDA calls them; by default their indexes."""

    id: str
    host: str
    gpus: int
    gpu_ids: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        return self.gpu_ids or tuple(str(index) for index in range(self.gpus))


@dataclass(frozen=True)
class Lease:
    """One attempt at one run. Every write made under it is guarded by `fence`."""

    run_id: str
    attempt: int
    fence: int
    spec: dict[str, Any]
    gpu_ids: tuple[str, ...] = ()


def claim_next(session: Session, worker: Worker, lease_s: float) -> Lease | None:
    """The first waiting run, if this host can serve it now; else the first that needs no GPU."""
    free = len(gpu_slots.free(session, worker.host, worker.devices))
    first = session.execute(_waiting(worker.gpus, RunRow.id, RunRow.gpus).limit(1)).one_or_none()
    if first is None:
        return None
    if gpu_slots.needed(first.gpus, worker.gpus) <= free:
        return claim(session, first.id, worker, lease_s)
    without = session.scalar(_waiting(worker.gpus, RunRow.id).where(RunRow.gpus == 0).limit(1))
    return claim(session, without, worker, lease_s) if without else None


def claim(session: Session, run_id: str, worker: Worker, lease_s: float) -> Lease | None:
    """The run and its GPUs, if it waits and this host can serve it now; None if somebody was faster. Raises the fence
    by one."""
    wish = session.scalar(select(RunRow.gpus).where(RunRow.id == run_id))
    free = gpu_slots.free(session, worker.host, worker.devices)
    gpus = gpu_slots.needed(wish, worker.gpus)
    if gpus > len(free):
        return None
    statement = (
        update(RunRow)
        .where(RunRow.id == run_id, *_claimable(worker.gpus))
        .values(
            state=State.starting,
            reason=None,
            message="",
            owner=worker.id,
            fence=RunRow.fence + 1,
            lease_expires_at=now() + lease_s,
            not_before=None,
            attempts=RunRow.attempts + 1,
            started_at=func.coalesce(RunRow.started_at, now()),
            ended_at=None,
        )
        .returning(RunRow)
    )
    run = session.scalar(statement)
    if run is None:
        return None
    session.add(
        AttemptRow(
            run_id=run_id, number=run.attempts, fence=run.fence, worker_id=worker.id, host=worker.host,
            gpu_ids=free[:gpus],
        )
    )  # fmt: skip
    gpu_slots.take(session, run_id, worker.host, free[:gpus])
    tell(session, run)
    return Lease(run_id, run.attempts, run.fence, run.spec, tuple(free[:gpus]))


def renew(session: Session, lease: Lease, lease_s: float) -> Desired:
    """Hold the run for another `lease_s`; what the user wants of it. LeaseLostError if it is no longer ours."""
    statement = update(RunRow).where(*_held(lease)).values(lease_expires_at=now() + lease_s)
    desired = session.scalar(statement.returning(RunRow.desired))
    if desired is None:
        raise LeaseLostError(f"Run {lease.run_id} is no longer ours (fence {lease.fence}).")
    return Desired(desired)


def record_process(session: Session, lease: Lease, pid: int, pid_started_at: float) -> None:
    """So that whoever comes next on this host can end the process if it is still there."""
    statement = update(AttemptRow).where(
        AttemptRow.run_id == lease.run_id, AttemptRow.number == lease.attempt, AttemptRow.fence == lease.fence
    )
    session.execute(statement.values(pid=pid, pid_started_at=pid_started_at))


def finish(
    session: Session,
    lease: Lease,
    settings: Settings,
    *,
    reason: str | None,
    message: str = "",
    exit_code: int | None = None,
    signal: int | None = None,
) -> Outcome:
    """Close the attempt and send the run where its `reason` says; reason None is success.

    Raises LeaseLostError if the run is no longer ours.
    """
    run = session.scalar(select(RunRow).where(*_held(lease)).with_for_update())
    if run is None:
        raise LeaseLostError(f"Run {lease.run_id} is no longer ours (fence {lease.fence}).")
    return _end_attempt(
        session, run, settings, reason=reason, message=storable(message), exit_code=exit_code, signal=signal
    )


def expire(session: Session, settings: Settings) -> list[str]:
    """Take every run from the worker that let its lease run out. Ids of those that wait again."""
    silent = session.scalars(
        select(RunRow)
        .where(RunRow.state.in_(ACTIVE), RunRow.lease_expires_at < now())
        .with_for_update(skip_locked=True)
    )
    waiting = []
    for run in silent.all():
        append_event(session, run.id, "attempt_lost", {"attempt": run.attempts, "worker": run.owner})
        message = f"Worker {run.owner} fell silent in attempt {run.attempts}."
        outcome = _end_attempt(session, run, settings, reason="worker_lost", message=message)
        if outcome.state is State.queued:
            waiting.append(run.id)
    return waiting


def waiting_runs(session: Session, gpus: int, limit: int) -> list[tuple[str, int | None]]:
    """Queued runs whose time has come and that a host with so many GPUs can serve, each with the GPUs it wants, in the
    order of claiming."""
    return [(run_id, wish) for run_id, wish in session.execute(_waiting(gpus, RunRow.id, RunRow.gpus).limit(limit))]


def _waiting(gpus: int, *columns: Any) -> Select[Any]:
    return select(*columns).where(*_claimable(gpus)).order_by(RunRow.priority.desc(), RunRow.id)


def _claimable(gpus: int) -> tuple[Any, ...]:
    return (
        RunRow.state == State.queued,
        RunRow.desired == Desired.run,
        func.coalesce(RunRow.gpus, 0) <= gpus,
        or_(RunRow.not_before.is_(None), RunRow.not_before <= now()),
    )


def held_by(session: Session, worker_id: str) -> int:
    """How many runs this worker is at."""
    return session.scalar(select(func.count()).where(RunRow.owner == worker_id, RunRow.state.in_(ACTIVE))) or 0


def earlier_processes(session: Session, lease: Lease, host: str) -> list[tuple[int, float]]:
    """(pid, start time) of every process on `host` that may be in the way: those that an earlier attempt of this run
    started, and those of lost attempts that had one of our GPUs."""
    query = select(AttemptRow).where(
        AttemptRow.host == host,
        AttemptRow.pid.is_not(None),
        AttemptRow.pid_started_at.is_not(None),
        or_(
            and_(AttemptRow.run_id == lease.run_id, AttemptRow.number < lease.attempt),
            AttemptRow.reason == "worker_lost",
        ),
    )
    return [
        (row.pid, row.pid_started_at)
        for row in session.scalars(query)
        if row.pid is not None and row.pid_started_at is not None
        if row.run_id == lease.run_id or set(row.gpu_ids) & set(lease.gpu_ids)
    ]


def _held(lease: Lease) -> tuple[Any, ...]:
    return RunRow.id == lease.run_id, RunRow.fence == lease.fence, RunRow.state.in_(ACTIVE)


def _end_attempt(
    session: Session,
    run: RunRow,
    settings: Settings,
    *,
    reason: str | None,
    message: str,
    exit_code: int | None = None,
    signal: int | None = None,
) -> Outcome:
    new_checkpoint = exists().where(CheckpointRow.run_id == run.id, CheckpointRow.segment == run.attempts)
    stalls = run.stalls + retry_cost(reason, saved=bool(session.scalar(select(new_checkpoint))))
    outcome = after_attempt(reason, Desired(run.desired), stalls, settings.retry_limit, settings.retry_backoff_s)
    values: dict[str, Any] = {"stalls": stalls}
    if outcome.state is State.queued:
        values |= {"not_before": now() + outcome.wait_s, "desired": Desired.run}
    attempt = update(AttemptRow).where(AttemptRow.run_id == run.id, AttemptRow.number == run.attempts)
    session.execute(attempt.values(ended_at=now(), reason=reason, exit_code=exit_code, signal=signal))
    move(
        session,
        run.id,
        outcome.state,
        sources=ACTIVE,
        fence=run.fence,
        reason=outcome.reason,
        message=message,
        **values,
    )
    return outcome
