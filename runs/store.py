"""Runs as rows: made, found, listed, and wished for. Each function works in the caller's transaction."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session
from ulid import ULID

from runs import outbox
from runs.errors import ConflictError, IdempotencyError, NotFoundError
from runs.states import ACTIVE, Desired, State
from runs.tables import AttemptRow, EventRow, IdempotencyRow, RunRow
from runs.transitions import append_event, move, state_of, wish
from trapo_core.spec import EvalSpec, TrainSpec


@dataclass(frozen=True)
class RunFilter:
    state: str | None = None
    kind: str | None = None
    method: str | None = None
    tag: str | None = None


def create_run(session: Session, spec: TrainSpec | EvalSpec, principal: str) -> RunRow:
    """Store a run whose inputs have been checked (`admission.py`), and its first event."""
    run = RunRow(
        id=f"run_{ULID()}", kind=spec.kind, name=spec.name or default_name(spec), method=getattr(spec, "method", None),
        tags=list(spec.tags), spec=spec.model_dump(mode="json"), gpus=spec.resources.gpus or 0, created_by=principal,
        total_steps=spec.total_steps if isinstance(spec, TrainSpec) else 0, summary={},
    )  # fmt: skip
    session.add(run)
    session.flush()
    append_event(
        session, run.id, "run_created", {"kind": run.kind, "name": run.name, "method": run.method, **state_of(run)}
    )
    outbox.fill(session, run.id, state_of(run))
    session.refresh(run)
    return run


def default_name(spec: TrainSpec | EvalSpec) -> str:
    """What an unnamed run is called in lists."""
    if isinstance(spec, TrainSpec):
        return f"{spec.method} on {spec.data.format}"
    return f"evaluation on {', '.join(benchmark.name for benchmark in spec.benchmarks)}"[:120]


def replayed(session: Session, principal: str, key: str | None, body: Any) -> RunRow | None:
    """The run that this caller's key made before, if any. IdempotencyError if that was another body."""
    row = session.get(IdempotencyRow, (principal, key)) if key else None
    if row is None:
        return None
    if row.digest != _digest(body):
        raise IdempotencyError("This Idempotency-Key was used with another body.", "Use a fresh key for a new run.")
    return get_run(session, row.run_id)


def remember(session: Session, principal: str, key: str, body: Any, run_id: str) -> None:
    session.add(IdempotencyRow(principal=principal, key=key, digest=_digest(body), run_id=run_id))


def get_run(session: Session, run_id: str) -> RunRow:
    run = session.get(RunRow, run_id)
    if run is None:
        raise NotFoundError(f"There is no run {run_id}.", "GET /api/v1/runs lists those there are.")
    return run


def list_runs(session: Session, wanted: RunFilter, limit: int, before: str | None) -> list[RunRow]:
    """Newest first (ids sort by time); `before` is the last id of the page before."""
    query = select(RunRow).order_by(RunRow.id.desc())
    for column, value in ((RunRow.state, wanted.state), (RunRow.kind, wanted.kind), (RunRow.method, wanted.method)):
        if value is not None:
            query = query.where(column == value)
    if wanted.tag is not None:
        query = query.where(_has_tag(wanted.tag))
    if before is not None:
        query = query.where(RunRow.id < before)
    return list(session.scalars(query.limit(limit)))


def cancel(session: Session, run_id: str) -> RunRow:
    """Now if it waits, else as soon as its worker sees the wish. A second cancel changes nothing."""
    run = get_run(session, run_id)
    if run.state in ACTIVE:
        return run if run.desired == Desired.cancel else wish(session, run_id, Desired.cancel)
    if run.state == State.cancelled:
        return run
    waiting = frozenset({State.queued, State.paused})
    return move(session, run_id, State.cancelled, sources=waiting, reason="user_cancelled", desired=Desired.cancel)


def pause(session: Session, run_id: str) -> RunRow:
    run = get_run(session, run_id)
    if run.state in ACTIVE:
        if run.desired == Desired.cancel:
            raise ConflictError(
                f"Run {run_id} is {run.state} and being cancelled, so it cannot be paused.", "Wait for its end."
            )
        return run if run.desired == Desired.pause else wish(session, run_id, Desired.pause)
    return move(
        session, run_id, State.paused, sources=frozenset({State.queued}), reason="user_paused", desired=Desired.pause
    )


def resume(session: Session, run_id: str) -> RunRow:
    """A paused or failed run goes back to the queue and continues from its last checkpoint; a run that is still
    pausing goes on."""
    run = get_run(session, run_id)
    if run.state in ACTIVE and run.desired == Desired.pause:
        return wish(session, run_id, Desired.run)
    return move(
        session, run_id, State.queued, sources=frozenset({State.paused, State.failed}),
        desired=Desired.run, not_before=None, stalls=0, ended_at=None,
    )  # fmt: skip


def attempts(session: Session, run_id: str) -> list[AttemptRow]:
    get_run(session, run_id)
    return list(session.scalars(select(AttemptRow).where(AttemptRow.run_id == run_id).order_by(AttemptRow.number)))


def events(session: Session, run_ids: list[str], after: int, limit: int, up_to: int | None = None) -> list[EventRow]:
    """Events with seq above `after`, oldest first; of all runs if `run_ids` is empty."""
    query = select(EventRow).where(EventRow.seq > after).order_by(EventRow.seq).limit(limit)
    if run_ids:
        query = query.where(EventRow.run_id.in_(run_ids))
    if up_to is not None:
        query = query.where(EventRow.seq <= up_to)
    return list(session.scalars(query))


def newest_seq(session: Session) -> int:
    return session.scalar(select(EventRow.seq).order_by(EventRow.seq.desc()).limit(1)) or 0


def _has_tag(tag: str) -> Any:
    # Tags are names without quotes, so the quoted tag occurs in the JSON text exactly where it is an element.
    return cast(RunRow.tags, Text).contains(f'"{tag}"', autoescape=True)


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
