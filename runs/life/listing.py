"""Runs found by what they are, sorted, a page at a time.

A cursor is where the page before ended, in the sort's own terms, so that a page neither repeats nor leaves out a run
when others come in meanwhile. Runs without the value that is sorted by come last.
"""

import sys
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Double, Text, and_, cast, func, or_, select
from sqlalchemy.orm import Session, defer

from runs import cursors
from runs.tables import RunRow

SORTS: dict[str, Any] = {
    "created_at": RunRow.id,  # ids sort by time
    "name": RunRow.name,
    "reward": RunRow.reward,
    "score": RunRow.score,
    "ended_at": cast(RunRow.ended_at, Double),
}


@dataclass(frozen=True)
class RunFilter:
    """None and () mean any. Of several states one, of several tags all; `name` is a part of it, whatever the case."""

    state: tuple[str, ...] = ()
    kind: str | None = None
    method: str | None = None
    tag: tuple[str, ...] = ()
    name: str | None = None
    created_by: str | None = None
    sweep: str | None = None
    archived: bool | None = False  # those, instead of those that are not; None: both
    deleted: bool = False
    min_reward: float | None = None
    max_reward: float | None = None
    min_score: float | None = None
    max_score: float | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        same = {
            RunRow.kind: self.kind, RunRow.method: self.method, RunRow.created_by: self.created_by,
            RunRow.sweep_id: self.sweep,
        }  # fmt: skip
        found = [column == value for column, value in same.items() if value is not None]
        found.append(_marked(RunRow.deleted_at, self.deleted))
        if not self.deleted and self.archived is not None:
            found.append(_marked(RunRow.archived_at, self.archived))
        if self.state:
            found.append(RunRow.state.in_(self.state))
        if self.name:
            found.append(RunRow.name.icontains(self.name, autoescape=True))
        for column, low, high in (
            (RunRow.reward, self.min_reward, self.max_reward),
            (RunRow.score, self.min_score, self.max_score),
        ):
            found += [] if low is None else [column >= low]
            found += [] if high is None else [column <= high]
        return found + [_has_tag(tag) for tag in self.tag]


def page(
    session: Session, wanted: RunFilter, limit: int, cursor: str | None = None, sort: str = "-created_at"
) -> tuple[list[RunRow], str | None]:
    """Runs without their specs, and the cursor of what comes next."""
    falling, name = sort.startswith("-"), sort.removeprefix("-")
    value = SORTS[name]
    if name in ("reward", "score", "ended_at"):
        value = func.coalesce(value, -sys.float_info.max if falling else sys.float_info.max)
    ids = select(RunRow.id, value.label("value")).where(*wanted.conditions())
    if cursor:
        kind: type[str] | type[float] = str if name in ("created_at", "name") else float
        ids = ids.where(_beyond(value, falling, *cursors.read(cursor, sort, kind)))
    order = [value, RunRow.id] if name != "created_at" else [RunRow.id]
    ids = ids.order_by(*(column.desc() if falling else column for column in order)).limit(limit + 1)
    found = session.execute(ids).all()
    rows = select(RunRow).where(RunRow.id.in_([row.id for row in found[:limit]])).options(defer(RunRow.spec))
    by_id = {run.id: run for run in session.scalars(rows)}
    following = cursors.write(sort, found[limit - 1].value, found[limit - 1].id) if len(found) > limit else None
    return [by_id[row.id] for row in found[:limit]], following


def count(session: Session, wanted: RunFilter) -> int:
    return session.scalar(select(func.count()).select_from(RunRow).where(*wanted.conditions())) or 0


def _beyond(value: Any, falling: bool, last_value: Any, last_id: str) -> ColumnElement[bool]:
    further = value < last_value if falling else value > last_value
    same = RunRow.id < last_id if falling else RunRow.id > last_id
    return same if value is RunRow.id else or_(further, and_(value == last_value, same))


def _marked(column: Any, wanted: bool) -> ColumnElement[bool]:
    marked: ColumnElement[bool] = column.is_not(None) if wanted else column.is_(None)
    return marked


def _has_tag(tag: str) -> ColumnElement[bool]:
    # Tags are names without quotes, so the quoted tag occurs in the JSON text exactly where it is an element.
    return cast(RunRow.tags, Text).contains(f'"{tag}"', autoescape=True)
