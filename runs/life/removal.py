"""Archive, delete, and get back. A deleted run is marked; after a grace its rows and its folder go for good."""

import logging

from sqlalchemy import ColumnElement, Engine, delete, exists, select
from sqlalchemy.orm import Session

from runs.db import now, reading, writing
from runs.files import remove_folder
from runs.life.store import get_run
from runs.life.transitions import mark
from runs.settings import Settings
from runs.states import FINAL, State
from runs.tables import RunRow, SeriesRow, SweepRow

AT_REST = FINAL | {State.paused}
ANY = frozenset(State)
HAS_RUNS = exists().where(RunRow.sweep_id == SweepRow.id)
log = logging.getLogger(__name__)


def archive(session: Session, run_id: str) -> RunRow:
    """Out of the lists; nothing else changes. `retry` and `resume` bring it back into them."""
    if (run := get_run(session, run_id)).archived_at is not None:
        return run
    kept = (RunRow.deleted_at.is_(None),)
    return mark(session, run_id, "run_archived", sources=AT_REST, where=kept, archived_at=now())


def unarchive(session: Session, run_id: str) -> RunRow:
    if (run := get_run(session, run_id)).archived_at is None:
        return run
    return mark(session, run_id, "run_unarchived", sources=ANY, archived_at=None)


def mark_deleted(session: Session, run_id: str) -> RunRow:
    """Only a run that nobody works on or waits for. A second time changes nothing."""
    if (run := get_run(session, run_id)).deleted_at is not None:
        return run
    return mark(session, run_id, "run_deleted", sources=AT_REST, deleted_at=now())


def undelete(session: Session, run_id: str, settings: Settings) -> RunRow:
    """Possible until the grace is over, even if nobody has swept yet: the folder may be going."""
    if (run := get_run(session, run_id)).deleted_at is None:
        return run
    return mark(session, run_id, "run_undeleted", sources=AT_REST, where=(in_time(settings),), deleted_at=None)


def in_time(settings: Settings) -> ColumnElement[bool]:
    """Deleted, and the grace is not over."""
    return RunRow.deleted_at > now() - settings.delete_grace_s


def purge(engine: Engine, settings: Settings) -> list[str]:
    """Remove for good what was deleted long enough ago; whoever dies in between, the next one goes on. What cannot be
    removed is in nobody's way, and is tried again."""
    overdue = select(RunRow.id).where(RunRow.deleted_at <= now() - settings.delete_grace_s)
    with reading(engine) as session:
        run_ids = list(session.scalars(overdue))
    gone = []
    for run_id in run_ids:
        try:
            remove_run(engine, settings, run_id)
        except OSError as error:
            hint = f"see that the service's user may write in {settings.run_dir(run_id).parent} and all below it"
            log.warning("%s: deleted, but its folder cannot be removed: %s; %s", run_id, error, hint)
        else:
            log.info("%s: deleted for good", run_id)
            gone.append(run_id)
    return gone


def remove_run(engine: Engine, settings: Settings, run_id: str) -> None:
    """Its folder, then its rows, for good. Only for one whose grace is over, or that never came to be."""
    remove_folder(settings.run_dir(run_id))
    _remove_rows(engine, run_id)


def _remove_rows(engine: Engine, run_id: str) -> None:
    """Curve by curve: other writers wait no longer than for one."""
    with reading(engine) as session:
        curves = list(session.scalars(select(SeriesRow.id).where(SeriesRow.run_id == run_id)))
    for curve in curves:
        with writing(engine) as session:
            session.execute(delete(SeriesRow).where(SeriesRow.id == curve))
    with writing(engine) as session:
        session.execute(delete(RunRow).where(RunRow.id == run_id))
        session.execute(delete(SweepRow).where(~HAS_RUNS))
