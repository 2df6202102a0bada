"""Runs as rows: made, found, listed, and wished for. Each function works in the caller's transaction."""

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from runs.access import outbox
from runs.errors import ConflictError, IdempotencyError, no_run
from runs.life.transitions import append_event, move, state_of, wish
from runs.states import ACTIVE, Desired, State
from runs.tables import AttemptRow, EventRow, IdempotencyRow, RunRow
from trapo_core.spec import EvalSpec, TrainSpec


def create_run(session: Session, spec: TrainSpec | EvalSpec, principal: str, **origin: Any) -> RunRow:
    """Store a run whose inputs have been checked (`admission.py`), and its first event. `origin`: its priority, and
    what it was made from."""
    run = RunRow(
        id=f"run_{ULID()}", kind=spec.kind, name=spec.name or default_name(spec), method=getattr(spec, "method", None),
        tags=list(spec.tags), spec=spec.model_dump(mode="json"), gpus=spec.resources.gpus, created_by=principal,
        total_steps=spec.total_steps if isinstance(spec, TrainSpec) else 0, summary={}, **origin,
    )  # fmt: skip
    session.add(run)
    session.flush()
    append_event(
        session, run.id, "run_created", {"kind": run.kind, "name": run.name, "method": run.method, **state_of(run)}
    )
    outbox.fill(session, run.id, state_of(run))
    return run


def default_name(spec: TrainSpec | EvalSpec) -> str:
    """What an unnamed run is called in lists."""
    if isinstance(spec, TrainSpec):
        return f"{spec.method} on {spec.data.format}"
    return f"evaluation on {', '.join(benchmark.name for benchmark in spec.benchmarks)}"[:120]


def replayed(session: Session, principal: str, key: str | None, body: Any) -> RunRow | None:
    """The run that this caller's key made before, if any. IdempotencyError if that was another body."""
    row = known_key(session, principal, key, body)
    return get_run(session, row.run_id) if row and row.run_id else None


def known_key(session: Session, principal: str, key: str | None, body: Any) -> IdempotencyRow | None:
    row = session.get(IdempotencyRow, (principal, key)) if key else None
    if row is not None and row.digest != _digest(body):
        raise IdempotencyError("This Idempotency-Key was used with another body.", "Use a fresh key for a new run.")
    return row


def remember(session: Session, principal: str, key: str, body: Any, **made: str) -> None:
    """`made` is the run_id or the sweep_id that came of it."""
    session.add(IdempotencyRow(principal=principal, key=key, digest=_digest(body), **made))


def get_run(session: Session, run_id: str) -> RunRow:
    run = session.get(RunRow, run_id)
    if run is None:
        raise no_run(run_id)
    return run


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
    """Now if it waits, else as soon as its worker sees the wish. A second pause changes nothing."""
    run = get_run(session, run_id)
    if run.state in ACTIVE:
        if run.desired == Desired.cancel:
            raise ConflictError(
                f"Run {run_id} is {run.state} and being cancelled, so it cannot be paused.", "Wait for its end."
            )
        return run if run.desired == Desired.pause else wish(session, run_id, Desired.pause)
    if run.state == State.paused:
        return run
    return move(
        session, run_id, State.paused, sources=frozenset({State.queued}), reason="user_paused", desired=Desired.pause
    )


def resume(session: Session, run_id: str) -> RunRow:
    """A paused or failed run goes back to the queue and continues from its last checkpoint; a run that is still
    pausing goes on."""
    run = get_run(session, run_id)
    if run.state in ACTIVE and run.desired == Desired.pause:
        return wish(session, run_id, Desired.run)
    return _queue_again(session, run_id, frozenset({State.paused, State.failed}))


def retry(session: Session, run_id: str) -> RunRow:
    """A failed or cancelled run goes back to the queue, with a fresh retry budget, and continues from its last
    checkpoint."""
    return _queue_again(session, run_id, frozenset({State.failed, State.cancelled}))


def _queue_again(session: Session, run_id: str, sources: frozenset[State]) -> RunRow:
    if get_run(session, run_id).imported_from:
        raise ConflictError(
            f"Run {run_id} was imported: its checkpoints are not here, so it cannot go on.",
            "A clone runs its spec from the start, if it has one.",
        )
    return move(
        session, run_id, State.queued, sources=sources,
        desired=Desired.run, not_before=None, stalls=0, ended_at=None, archived_at=None,
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


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
