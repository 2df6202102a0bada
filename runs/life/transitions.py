"""The one way in which a run changes its state: a guarded update and its event, in the caller's transaction."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from runs.access import outbox
from runs.db import now
from runs.errors import ConflictError, LeaseLostError, no_run
from runs.life import gpu_slots
from runs.states import ACTIVE, FINAL, MOVES, Desired, State
from runs.tables import EventRow, RunRow

# What is done to a run, by the state that it goes to.
DEEDS = {State.queued: "go back to the queue", State.paused: "be paused", State.cancelled: "be cancelled"}
# What else can be done to a run in each state; a hint for those who were refused.
HINTS = {
    State.queued: "It waits for a worker; it can be paused or cancelled.",
    State.starting: "A worker holds it; it can be paused or cancelled.",
    State.running: "A worker holds it; it can be paused or cancelled.",
    State.paused: "It can be resumed or cancelled.",
    State.failed: "It can be resumed or retried.",
    State.cancelled: "It can be retried.",
    State.succeeded: "It is done; a clone runs its spec again.",
}


def move(
    session: Session,
    run_id: str,
    to: State,
    *,
    sources: frozenset[State],
    fence: int | None = None,
    reason: str | None = None,
    message: str = "",
    **values: Any,
) -> RunRow:
    """Take the run from one of `sources` to `to`.

    Raises ConflictError that names the present state if it is in none of them, LeaseLostError if `fence` is no longer
    the run's.
    """
    assert all(to in MOVES[source] for source in sources), f"no move from {sources} to {to}"
    if to in FINAL or to is State.paused:
        values["ended_at"] = now()
    if to not in ACTIVE:
        values |= {"owner": None, "lease_expires_at": None}
    statement = update(RunRow).where(RunRow.id == run_id, RunRow.state.in_(sources), RunRow.deleted_at.is_(None))
    if fence is not None:
        statement = statement.where(RunRow.fence == fence)
    run: RunRow | None = session.scalar(
        statement.values(state=to, reason=reason, message=message, **values).returning(RunRow)
    )
    if run is None:
        raise _refusal(session, run_id, DEEDS.get(to, f"become {to}"), fence)
    if to not in ACTIVE:
        gpu_slots.give_back(session, run_id)
    tell(session, run)
    return run


def tell(session: Session, run: RunRow) -> None:
    """That the run has just changed its state: its event, and the messages of webhooks."""
    append_event(session, run.id, "run_state", state_of(run))
    outbox.fill(session, run.id, state_of(run))


def wish(session: Session, run_id: str, desired: Desired) -> RunRow:
    """Write down what the user wants of a run that a worker holds; its worker sees it at its next look."""
    statement = update(RunRow).where(RunRow.id == run_id, RunRow.state.in_(ACTIVE)).values(desired=desired)
    run: RunRow | None = session.scalar(statement.returning(RunRow))
    if run is None:
        raise _refusal(session, run_id, f"be asked to {desired}", None)
    append_event(session, run_id, "run_state", state_of(run))
    return run


def mark(
    session: Session, run_id: str, event: str, *, sources: frozenset[State], where: tuple[Any, ...] = (), **values: Any
) -> RunRow:
    """Archive, delete or take back: the run keeps its state, and may be in one of `sources` only."""
    wanted = f"be {event.removeprefix('run_')}"
    run = _set(session, run_id, wanted, (RunRow.state.in_(sources), *where), values)
    append_event(session, run_id, event, state_of(run))
    return run


def change(
    session: Session, run_id: str, *, where: tuple[Any, ...] = (), refusal: str = "be changed", **values: Any
) -> RunRow:
    """What people set of a run: it keeps its state, and the event says what changed. `refusal` is what cannot be done
    to a run that is not as `where` says."""
    run = _set(session, run_id, refusal, where, values)
    append_event(session, run_id, "run_changed", values)
    return run


def append_event(session: Session, run_id: str, type_: str, data: dict[str, Any]) -> None:
    """One of the service's own events; those of the training process come in by `ingest.py`."""
    session.add(EventRow(run_id=run_id, type=type_, data=data))
    session.info.setdefault("run_id", run_id)  # for the audit log: which run this transaction is about
    session.flush()


def state_of(run: RunRow) -> dict[str, Any]:
    return {"state": run.state, "reason": run.reason, "message": run.message, "desired": run.desired}


def _set(
    session: Session, run_id: str, wanted: str, where: tuple[Any, ...], values: dict[str, Any]
) -> RunRow:  # fmt: skip
    statement = update(RunRow).where(RunRow.id == run_id, *where).values(**values)
    run: RunRow | None = session.scalar(statement.returning(RunRow))
    if run is None:
        raise _refusal(session, run_id, wanted, None)
    return run


def _refusal(session: Session, run_id: str, wanted: str, fence: int | None) -> Exception:
    found = session.execute(select(RunRow.state, RunRow.deleted_at).where(RunRow.id == run_id)).one_or_none()
    if found is None:
        return no_run(run_id)
    if fence is not None:
        return LeaseLostError(f"Run {run_id} is {found.state} and no longer ours (fence {fence}).")
    if found.deleted_at is not None and wanted == "be undeleted":
        return ConflictError(f"Run {run_id} was deleted too long ago to be had back.", "Submit its spec again.")
    if found.deleted_at is not None:
        return ConflictError(
            f"Run {run_id} is deleted, so it cannot {wanted}.", "Undelete it first, if its time is not over."
        )
    if wanted == DEEDS.get(found.state):
        return ConflictError(f"Run {run_id} is {found.state} already.", HINTS[found.state])
    return ConflictError(f"Run {run_id} is {found.state}, so it cannot {wanted}.", HINTS[found.state])
