"""Archive, delete, and get back. A deleted run is marked; after a grace its rows and its folder go for good."""

import logging
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Column, ColumnElement, Engine, Table, delete, exists, select, tuple_
from sqlalchemy.orm import Session

from runs.db import now, reading, writing
from runs.files import remove_folder
from runs.life.store import get_run
from runs.life.transitions import mark
from runs.settings import Settings
from runs.states import ACTIVE, FINAL, State
from runs.tables import Base, RunRow, SeriesRow, SweepRow

AT_REST = FINAL | {State.paused}
ANY = frozenset(State)
SLICE = 20_000  # rows that one transaction deletes: on SQLite nobody else writes meanwhile, not even a lease
REST_S = 0.1  # SQLite's writers do not queue, they look so often whether it is free
IMPORT_S = 3600.0  # an import that has not come to its end by then has died
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


def overdue(at: ColumnElement[float], settings: Settings) -> ColumnElement[bool]:
    """That its grace is over at this time of the database. An import is marked too while it is read (`imports.py`), and
    the grace may be none at all."""
    at_work = RunRow.state.in_(ACTIVE) & (RunRow.deleted_at > at - IMPORT_S)
    return (RunRow.deleted_at <= at - settings.delete_grace_s) & ~at_work


def purge(engine: Engine, settings: Settings) -> list[str]:
    """Remove for good what was deleted long enough ago; whoever dies in between, the next one goes on. What cannot be
    removed is in nobody's way, and is tried again."""
    with reading(engine) as session:
        run_ids = list(session.scalars(select(RunRow.id).where(overdue(now(), settings))))
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
    """Slice by slice, the run's own row last: whoever dies in between leaves one that is still to be removed."""
    with reading(engine) as session:
        curves = list(session.scalars(select(SeriesRow.id).where(SeriesRow.run_id == run_id)))
    for curve in curves:
        for column in columns_to("series"):
            _empty(engine, column, curve)
    for column in columns_to("runs"):
        _empty(engine, column, run_id)
    with writing(engine) as session:
        session.execute(delete(RunRow).where(RunRow.id == run_id))
        session.execute(delete(SweepRow).where(~HAS_RUNS))


def columns_to(name: str) -> Iterator[Column[Any]]:
    """Of every table whose rows go with a row of that one, the column that names it."""
    for table in Base.metadata.sorted_tables:
        yield from (key.parent for key in table.foreign_keys if key.column.table.name == name)


def _empty(engine: Engine, column: Column[Any], value: Any) -> None:
    """Of the rows that have this value there. Others may write for as long as this did."""
    more = True
    while more:
        began = monotonic()
        with writing(engine) as session:
            more = _delete_slice(session, column.table, column, value)
        sleep(min(monotonic() - began, REST_S))


def _delete_slice(session: Session, table: Table, column: Column[Any], value: Any) -> bool:
    """The first of them in the order of the primary key, whose index finds them; whether there may be more."""
    key = [one for one in table.primary_key if one is not column]
    last = session.execute(select(*key).where(column == value).order_by(*key).offset(SLICE - 1).limit(1)).first()
    upto = [] if last is None else [tuple_(*key) <= tuple_(*last)]
    session.execute(delete(table).where(column == value, *upto))
    return last is not None
