"""A run's events as a person reads them: found by kind and text, forwards and backwards."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from runs.tables import EventRow


@dataclass(frozen=True)
class EventFilter:
    """None and () mean any; bounds are not included. `contains` is looked for in the event's data as JSON, whatever the
    case. `up_to_step` ends the list behind the last of the training steps up to that one, `up_to` at a time."""

    after: int = 0
    before: int | None = None
    types: tuple[str, ...] = ()
    contains: str | None = None
    up_to_step: int | None = None
    up_to: datetime | None = None


def page(session: Session, run_id: str, wanted: EventFilter, limit: int, *, newest: bool) -> list[EventRow]:
    """Oldest first, or `newest`."""
    query = select(EventRow).where(EventRow.run_id == run_id, EventRow.seq > wanted.after)
    if wanted.before is not None:
        query = query.where(EventRow.seq < wanted.before)
    if wanted.types:
        query = query.where(EventRow.type.in_(wanted.types))
    if wanted.contains:
        # As the database has it: JSON is written in ASCII.
        words = json.dumps(wanted.contains)[1:-1]
        query = query.where(cast(EventRow.data, Text).icontains(words, autoescape=True))
    if wanted.up_to is not None:
        # A time that was read from a row has fewer digits than the row.
        query = query.where(EventRow.ts <= wanted.up_to + timedelta(milliseconds=1))
    if wanted.up_to_step is not None:
        query = query.where(EventRow.seq <= _last_of(session, run_id, wanted.up_to_step))
    order = EventRow.seq.desc() if newest else EventRow.seq
    return list(session.scalars(query.order_by(order).limit(limit)))


def _last_of(session: Session, run_id: str, step: int) -> int:
    steps = select(EventRow.seq).where(EventRow.run_id == run_id, EventRow.type == "step")
    reached = steps.where(EventRow.data["step"].as_integer() <= step)
    return session.scalar(reached.order_by(EventRow.seq.desc()).limit(1)) or 0
