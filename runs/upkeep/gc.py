"""What may go, and letting it go: trash, what crashes left, what is out of date, models that nothing names.

`plan` only reads. `collect` removes what a plan names and nothing else, so a dry run promises exactly what is freed.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Double, Engine, Text, cast, delete, exists, func, literal, or_, select
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


def collect(engine: Engine, settings: Settings, chosen: Plan) -> list[Item]:
    """Remove what the plan names; what was removed. A model that has been named since stays."""
    return [item for item in chosen.items if _remove(engine, settings, chosen.at, item)]


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
        if rows := _count(session, one.row, one.where):
            yield Item(kind, one.row.__tablename__, one.why, rows=rows)


def _trash(session: Session, at: float, settings: Settings) -> Iterator[Item]:
    kept_keys = ~stale(at, settings)["idempotency_keys"].where
    overdue = RunRow.deleted_at <= literal(at - settings.delete_grace_s, Double())
    for run_id in session.scalars(select(RunRow.id).where(overdue).order_by(RunRow.id)):
        rows = 1 + sum(_count(session, *one) for one in _of_run(run_id, kept_keys))
        yield Item("deleted_run", run_id, "deleted, and its grace is over", rows=rows, path=settings.run_dir(run_id))
    staying = exists().where(RunRow.sweep_id == SweepRow.id, or_(RunRow.deleted_at.is_(None), ~overdue))
    for sweep_id in session.scalars(select(SweepRow.id).where(~staying).order_by(SweepRow.id)):
        rows = 1 + _count(session, IdempotencyRow, (IdempotencyRow.sweep_id == sweep_id) & kept_keys)
        yield Item("empty_sweep", sweep_id, "it has no runs", rows=rows)


def _of_run(run_id: str, kept_keys: ColumnElement[bool]) -> Iterator[tuple[type[Base], ColumnElement[bool]]]:
    """What goes with a run's row."""
    curves = select(SeriesRow.id).where(SeriesRow.run_id == run_id)
    for mapper in Base.registry.mappers:
        row: Any = mapper.class_
        if row is IdempotencyRow:
            yield row, (row.run_id == run_id) & kept_keys
        elif any(key.column.table.name == "runs" for key in row.__table__.foreign_keys):
            yield row, row.run_id == run_id
        elif any(key.column.table.name == "series" for key in row.__table__.foreign_keys):
            yield row, row.series_id.in_(curves)


def _count(session: Session, row: type[Base], where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(row).where(where)) or 0


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
    if path is None or not path.exists() or path.is_symlink():
        return []
    return list(path.rglob("*")) if path.is_dir() else [path]


def _facts(path: Path) -> os.stat_result | None:
    """None if it has just gone."""
    with suppress(FileNotFoundError):
        return path.lstat()
    return None


def _entries(folder: Path) -> Sequence[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


# ----------------------------------------------------------------------------------------------------------- removing


def _remove(engine: Engine, settings: Settings, at: float, item: Item) -> bool:
    if item.kind == "deleted_run":
        removal.remove_run(engine, settings, item.name)
    elif item.kind == "empty_sweep":
        with writing(engine) as session:
            session.execute(delete(SweepRow).where(SweepRow.id == item.name, ~removal.HAS_RUNS))
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


def _remove_model(engine: Engine, settings: Settings, item: Item) -> bool:
    """Unless it has been named since. Out of the way in a transaction, so that nobody names it at the same time."""
    assert item.path is not None
    with writing(engine) as session:
        if is_named(session, settings, item.name.removeprefix("models/")):
            return False
        doomed = item.path.rename(item.path.with_name(f".{item.path.name}.tmp"))
    remove_folder(doomed)
    return True
