"""What may go, and letting it go: trash, what crashes left, what is out of date, models that nothing names.

`plan` only reads. `collect` removes what a plan names and nothing else, so a dry run promises exactly what is freed, if
the operating system lets it go.
"""

import logging
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    Double,
    Engine,
    FromClause,
    Text,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session

from runs.access.outbox import KEPT_S, out_of_date
from runs.db import database_time, reading, writing
from runs.files import remove_folder
from runs.life import removal
from runs.record.checkpoints import PROMOTED
from runs.settings import Settings
from runs.states import ACTIVE
from runs.tables import (
    AliasRow,
    AuditRow,
    Base,
    DeliveryRow,
    IdempotencyRow,
    LoginTokenRow,
    RunRow,
    SeriesRow,
    SessionRow,
    SweepRow,
)
from runs.upkeep.kept_files import STAGE, is_temporary

# Younger ones may be somebody's work that is not finished.
ORPHAN_S = 3600.0
IDEMPOTENCY_S = 7 * 86_400.0
DAY_S = 86_400.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """One thing that may go. `bytes` are those that the disk has back, `rows` those of the database."""

    kind: str
    name: str
    why: str
    bytes: int = 0
    rows: int = 0
    path: Path | None = None


@dataclass(frozen=True)
class Plan:
    """`at` is the database's time: what is out of date then is what goes, whenever it goes."""

    at: float
    items: list[Item]


@dataclass(frozen=True)
class Failure:
    """What could not be removed, and why. Some of its files may have gone."""

    kind: str
    name: str
    why: str


@dataclass(frozen=True)
class Collected:
    freed: list[Item]
    failed: list[Failure]


@dataclass(frozen=True)
class Stale:
    """Rows of one table that are out of date."""

    row: type[Base]
    where: ColumnElement[bool]
    why: str


def plan(engine: Engine, settings: Settings) -> Plan:
    with reading(engine) as session:
        at = database_time(session)
        found = [*_stale_items(session, at, settings), *_trash(session, at, settings)]
        found += [*_orphans(session, at, settings), *_leftovers(session, at, settings), *_models(session, at, settings)]
    return Plan(at, with_bytes(found))


def collect(engine: Engine, settings: Settings, chosen: Plan) -> Collected:
    """Remove what the plan names. A model that has been named since stays, and so does a sweep whose runs could not be
    removed; what cannot be removed is in nobody's way."""
    done = Collected([], [])
    for promised in chosen.items:
        # Once more: an item that stays keeps its links to files, which are then not freed with the last item.
        (item,) = with_bytes([promised])
        try:
            if _remove(engine, settings, chosen.at, item):
                done.freed.append(item)
        except OSError as error:
            log.warning("%s %s cannot be removed: %s", item.kind, item.name, error)
            done.failed.append(Failure(item.kind, item.name, str(error)))
    return done


def with_bytes(items: Iterable[Item]) -> list[Item]:
    """What each gives back if they go in this order: a file with several links is freed with the last of them."""
    links: dict[tuple[int, int], int] = {}
    return [replace(item, bytes=sum(_freed(path, links) for path in _files(item.path))) for item in items]


def _freed(path: Path, links: dict[tuple[int, int], int]) -> int:
    facts = _facts(path)
    if facts is None or not stat.S_ISREG(facts.st_mode):
        return 0
    if facts.st_nlink == 1:
        return facts.st_size
    left = links.get((facts.st_dev, facts.st_ino), facts.st_nlink) - 1
    links[facts.st_dev, facts.st_ino] = left
    return 0 if left else facts.st_size


# --------------------------------------------------------------------------------------------------------------- rows


def stale(at: float, settings: Settings) -> dict[str, Stale]:
    def before(seconds: float) -> ColumnElement[float]:
        return literal(at - seconds, Double())

    year, week = f"older than {settings.audit_days:g} days", "older than a week"
    return {
        "idempotency_keys": Stale(IdempotencyRow, IdempotencyRow.created_at < before(IDEMPOTENCY_S), week),
        "login_links": Stale(LoginTokenRow, LoginTokenRow.expires_at < before(0), "expired"),
        "sessions": Stale(SessionRow, SessionRow.expires_at < before(0), "expired"),
        "deliveries": Stale(DeliveryRow, out_of_date(before(KEPT_S)), f"ended, {week}"),
        "audit_entries": Stale(AuditRow, AuditRow.at < before(settings.audit_days * DAY_S), year),
    }


def _stale_items(session: Session, at: float, settings: Settings) -> Iterator[Item]:
    for kind, one in stale(at, settings).items():
        if rows := _count(session, one.row.__table__, one.where):
            yield Item(kind, one.row.__tablename__, one.why, rows=rows)


def _trash(session: Session, at: float, settings: Settings) -> Iterator[Item]:
    kept_keys = ~stale(at, settings)["idempotency_keys"].where
    overdue = removal.overdue(literal(at, Double()), settings)
    for run_id in session.scalars(select(RunRow.id).where(overdue).order_by(RunRow.id)):
        rows = 1 + sum(_count(session, *one) for one in _of_run(run_id, kept_keys))
        yield Item("deleted_run", run_id, "deleted, and its grace is over", rows=rows, path=settings.run_dir(run_id))
    staying = exists().where(RunRow.sweep_id == SweepRow.id, or_(RunRow.deleted_at.is_(None), ~overdue))
    for sweep_id in session.scalars(select(SweepRow.id).where(~staying).order_by(SweepRow.id)):
        rows = 1 + _count(session, IdempotencyRow.__table__, (IdempotencyRow.sweep_id == sweep_id) & kept_keys)
        yield Item("empty_sweep", sweep_id, "it has no runs", rows=rows)


def _of_run(run_id: str, kept_keys: ColumnElement[bool]) -> Iterator[tuple[FromClause, ColumnElement[bool]]]:
    """What goes with a run's row."""
    curves = select(SeriesRow.id).where(SeriesRow.run_id == run_id)
    for column in removal.columns_to("series"):
        yield column.table, column.in_(curves)
    for column in removal.columns_to("runs"):
        counted = kept_keys if column.table is IdempotencyRow.__table__ else true()
        yield column.table, (column == run_id) & counted


def _count(session: Session, table: FromClause, where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(where)) or 0


# -------------------------------------------------------------------------------------------------------------- files


def _orphans(session: Session, at: float, settings: Settings) -> Iterator[Item]:
    known = set(session.scalars(select(RunRow.id)))
    for path in _entries(settings.home / "runs"):
        if path.name not in known and path.name != STAGE and is_old(path, at):
            yield Item("orphan_folder", f"runs/{path.name}", "it belongs to no run", path=path)


def _leftovers(session: Session, at: float, settings: Settings) -> Iterator[Item]:
    """Of saves that crashed. An active run's are its own business; a deleted run's go with it."""
    resting = RunRow.state.not_in(ACTIVE) & RunRow.deleted_at.is_(None)
    folders = [
        (f"runs/{run_id}/{part}", settings.run_dir(run_id) / part)
        for run_id in session.scalars(select(RunRow.id).where(resting).order_by(RunRow.id))
        for part in ("checkpoints", "rollouts")
    ]
    folders += [("models", settings.models_root), (f"models/{PROMOTED}", settings.models_root / PROMOTED)]
    for name, folder in folders:
        for path in _entries(folder):
            if is_temporary(path.name) and path.name != STAGE and is_old(path, at):
                yield Item("leftover", f"{name}/{path.name}", "a save that was cut off left it", path=path)


def _models(session: Session, at: float, settings: Settings) -> Iterator[Item]:
    for path in _entries(settings.models_root / PROMOTED):
        version = f"{PROMOTED}/{path.name}"
        if not is_temporary(path.name) and is_old(path, at) and not is_named(session, settings, version):
            yield Item("promoted_model", f"models/{version}", "no alias, run or sweep names it", path=path)


def is_named(session: Session, settings: Settings, version: str) -> bool:
    """Anywhere in a spec counts, and so does any link in the models root, whoever made it."""
    inside = [cast(column, Text).contains(version) for column in (RunRow.spec, SweepRow.spec, SweepRow.matrix)]
    if session.scalar(select(AliasRow.name).where(AliasRow.path == version).limit(1)):
        return True
    if session.scalar(select(RunRow.id).where(inside[0]).limit(1)):
        return True
    if session.scalar(select(SweepRow.id).where(or_(*inside[1:])).limit(1)):
        return True
    folder = (settings.models_root / version).resolve()
    return any(path.is_symlink() and path.resolve() == folder for path in _entries(settings.models_root))


def is_old(path: Path, at: float) -> bool:
    """Nothing in it has changed for an hour."""
    found = [_facts(file) for file in (path, *_files(path))]
    return all(facts is not None and facts.st_mtime < at - ORPHAN_S for facts in found)


def _files(path: Path | None) -> list[Path]:
    facts = _facts(path) if path else None
    if path is None or facts is None or stat.S_ISLNK(facts.st_mode):
        return []
    return list(path.rglob("*")) if stat.S_ISDIR(facts.st_mode) else [path]


def _facts(path: Path) -> os.stat_result | None:
    """None if it has just gone, or may not be looked at."""
    with suppress(FileNotFoundError, PermissionError):
        return path.lstat()
    return None


def _entries(folder: Path) -> Sequence[Path]:
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else ()
    except PermissionError as error:
        log.warning("What is in %s cannot be seen: %s", folder, error)
        return ()


# ----------------------------------------------------------------------------------------------------------- removing


def _remove(engine: Engine, settings: Settings, at: float, item: Item) -> bool:
    """Whether it is gone."""
    if item.kind == "deleted_run":
        removal.remove_run(engine, settings, item.name)
    elif item.kind == "empty_sweep":
        return _remove_sweep(engine, item.name)
    elif item.kind == "promoted_model":
        return _remove_model(engine, settings, item)
    elif item.path is not None:
        folder = item.path.is_dir() and not item.path.is_symlink()
        remove_folder(item.path) if folder else item.path.unlink(missing_ok=True)
    else:
        one = stale(at, settings)[item.kind]
        with writing(engine) as session:
            session.execute(delete(one.row).where(one.where))
    return True


def _remove_sweep(engine: Engine, sweep_id: str) -> bool:
    """It may have gone with its last run."""
    with writing(engine) as session:
        session.execute(delete(SweepRow).where(SweepRow.id == sweep_id, ~removal.HAS_RUNS))
        return session.get(SweepRow, sweep_id) is None


def _remove_model(engine: Engine, settings: Settings, item: Item) -> bool:
    """Unless it has been named since. Out of the way in a transaction, so that nobody names it at the same time."""
    assert item.path is not None
    with writing(engine) as session:
        if is_named(session, settings, item.name.removeprefix("models/")):
            return False
        doomed = item.path.rename(item.path.with_name(f".{item.path.name}.tmp"))
    remove_folder(doomed)
    return True
