"""Every point of a run as it was stored, as CSV: no buckets, nothing rounded, superseded steps left out.

Read a page at a time, each by itself: a reader may be slow, and no transaction waits for it. What counts is settled at
the beginning, so a resume meanwhile changes nothing of what comes.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from runs.db import reading
from runs.record.rollups import History
from runs.tables import PointRow, SeriesRow

HEADER = "key,step,value\n"
PAGE = 20_000
Row = tuple[int, float | None, int]  # step, value, flag
_NAMES = {1: "NaN", 2: "Infinity", 3: "-Infinity"}


def series_of(session: Session, run_id: str, keys: Sequence[str] = ()) -> list[tuple[str, int]]:
    """(key, id) by key; all of the run if none is named."""
    query = select(SeriesRow.key, SeriesRow.id).where(SeriesRow.run_id == run_id).order_by(SeriesRow.key)
    if keys:
        query = query.where(SeriesRow.key.in_(keys))
    return list(session.execute(query).tuples())


def as_csv(engine: Engine, past: History, series: list[tuple[str, int]]) -> Iterator[str]:
    yield HEADER
    for key, series_id in series:
        name = _quoted(key)
        for rows in _pages(engine, past, series_id):
            yield "".join([f"{name},{step},{_NAMES[flag] if flag else repr(value)}\n" for step, value, flag in rows])


def _pages(engine: Engine, past: History, series_id: int) -> Iterator[list[Row]]:
    rows = _page(engine, past, series_id, after=-1)
    yield rows
    while len(rows) == PAGE:
        rows = _page(engine, past, series_id, after=rows[-1][0])
        yield rows


def _page(engine: Engine, past: History, series_id: int, after: int) -> list[Row]:
    wanted = (PointRow.series_id == series_id, past.counting(after + 1))
    query = select(PointRow.step, PointRow.value, PointRow.flag).where(*wanted).order_by(PointRow.step).limit(PAGE)
    with reading(engine) as session:
        # Past the ORM, and all at once: a row at a time costs as much as the database's work.
        return [*session.connection().execute(query).tuples().all()]


def _quoted(key: str) -> str:
    return '"' + key.replace('"', '""') + '"' if any(mark in key for mark in ',"\r\n') else key
