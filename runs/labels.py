"""What a person may change of a run that is there: its name, tags and notes."""

import hashlib
import json
from typing import Any

from sqlalchemy.orm import Session

from runs.errors import StaleError
from runs.store import get_run
from runs.tables import RunRow
from runs.transitions import append_event


def etag(run: RunRow) -> str:
    """Of what can be changed, not of what training changes: else nobody could edit a run that goes on."""
    digest = hashlib.sha256(json.dumps([run.name, run.tags, run.notes]).encode()).hexdigest()
    return f'"{digest[:32]}"'


def relabel(session: Session, run_id: str, values: dict[str, Any], if_match: str | None) -> RunRow:
    """StaleError if `if_match` names another state of the run than the present one."""
    run = get_run(session, run_id)
    seen = {tag.strip() for tag in (if_match or "*").split(",")}
    if not seen & {"*", etag(run)}:
        raise StaleError(f"Somebody has changed run {run_id} since.", "Read it again and decide again.")
    changed = {name: value for name, value in values.items() if getattr(run, name) != value}
    for name, value in changed.items():
        setattr(run, name, value)
    if changed:
        append_event(session, run_id, "run_changed", changed)
    return run
