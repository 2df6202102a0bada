"""What a person may change of a run that is there: its name, tags and notes, and its priority while it waits."""

import hashlib
import json
from typing import Any

from sqlalchemy.orm import Session

from runs.errors import StaleError
from runs.life.store import get_run
from runs.life.transitions import change
from runs.states import State
from runs.tables import RunRow

KEPT = (RunRow.deleted_at.is_(None),)
# Before its next attempt: priority says who is claimed first, so later it would mean nothing.
WAITING = (RunRow.state.in_((State.queued, State.paused)), *KEPT)


def etag(run: RunRow) -> str:
    """Of what can be changed, not of what training changes: else nobody could edit a run that goes on."""
    digest = hashlib.sha256(json.dumps([run.name, run.tags, run.notes, run.priority]).encode()).hexdigest()
    return f'"{digest[:32]}"'


def relabel(session: Session, run_id: str, values: dict[str, Any], if_match: str | None) -> RunRow:
    """StaleError if `if_match` names another state of the run than the present one, ConflictError if it is deleted, or
    its priority is to change and it does not wait."""
    run = get_run(session, run_id)
    seen = {tag.strip() for tag in (if_match or "*").split(",")}
    if not seen & {"*", etag(run)}:
        raise StaleError(f"Somebody has changed run {run_id} since.", "Read it again and decide again.")
    changed = {name: value for name, value in values.items() if getattr(run, name) != value}
    if not changed:
        return run
    if "priority" in changed:
        return change(session, run_id, where=WAITING, refusal="get another priority", **changed)
    return change(session, run_id, where=KEPT, **changed)
