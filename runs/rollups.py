"""The points of one history, and their roll-ups.

A run's attempts are segments; a step counts in the segment that nothing superseded. Roll-ups sum up the points that
count over 8, 64 and 512 steps, so that a chart reads a few thousand rows however long the run is: minimum, maximum,
sum, and which values that are not finite occurred. Ingest writes one as soon as its last step is there, in the
transaction of the points; a resume deletes those that reach beyond the step it goes back to. What is not rolled up yet
is read from the points.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, false, func, insert, literal, or_, select, union_all
from sqlalchemy.orm import Session

from runs.tables import PointRow, RollupRow, RunRow, SegmentRow, SeriesRow

WIDTHS = (8, 64, 512)
LARGEST = 2**62  # above any step
_CELL = ("series_id", "last_step", "points", "low", "high", "total", "nan", "high_inf", "low_inf")
_FLAGS = {"nan": 1, "high_inf": 2, "low_inf": 3}  # as in PointRow.flag


@dataclass(frozen=True)
class History:
    """A run up to `step`: what is complete there is rolled up. `segments` are (number, first step, last step); they do
    not overlap, so each step counts once."""

    run_id: str
    step: int
    segments: list[tuple[int, int, int]]

    def counting(self, from_step: int = 0, to_step: int = LARGEST, row: Any = PointRow) -> ColumnElement[bool]:
        """The condition on a row with segment and step. One range a segment, so that the database looks at no other
        steps."""
        parts = [
            and_(row.segment == segment, row.step.between(max(first, from_step), min(last, to_step)))
            for segment, first, last in self.segments
            if max(first, from_step) <= min(last, to_step)
        ]
        return or_(*parts) if parts else false()


def history(session: Session, run_id: str) -> History:
    """Also of a run that is not there: its points are none."""
    query = select(SegmentRow.segment, SegmentRow.first_step, SegmentRow.last_step).where(SegmentRow.run_id == run_id)
    segments = [(number, first, LARGEST if last is None else last) for number, first, last in session.execute(query)]
    return History(run_id, session.scalar(select(RunRow.step).where(RunRow.id == run_id)) or 0, segments)


def roll_up(session: Session, run_id: str, after: int, step: int) -> None:
    """Write what became complete while the run went from step `after` to `step`."""
    series = select(SeriesRow.id).where(SeriesRow.run_id == run_id)
    finer = 1
    for width in WIDTHS:
        first, end = (after + 1) // width, (step + 1) // width
        if first >= end:
            return  # nor is anything complete that is wider
        old = (RollupRow.series_id.in_(series), RollupRow.width == width, RollupRow.bucket.between(first, end - 1))
        session.execute(delete(RollupRow).where(*old))
        if finer == 1:
            cells = _points(history(session, run_id).counting(first * width, end * width - 1))
            cells = cells.where(PointRow.series_id.in_(series))
        else:
            cells = _rollups(finer, first * width // finer, end * width // finer)
            cells = cells.where(RollupRow.series_id.in_(series))
        summed = sums(cells, 0, width).add_columns(literal(width))
        session.execute(insert(RollupRow).from_select(["bucket", *_CELL, "width"], summed))
        finer = width


def supersede(session: Session, run_id: str, step: int) -> None:
    """Forget what reaches beyond `step`: the run goes on from there."""
    series = select(SeriesRow.id).where(SeriesRow.run_id == run_id)
    beyond = (RollupRow.bucket + 1) * RollupRow.width - 1 > step
    session.execute(delete(RollupRow).where(RollupRow.series_id.in_(series), beyond))


def read_cells(past: History, series_id: int, width: int, from_step: int, to_step: int) -> Select[Any]:
    """A series over [from_step, to_step]: roll-ups of that width where they are, points before and after them."""
    first, end = -(-from_step // width), (min(to_step, past.step) + 1) // width
    if width == 1 or first >= end:
        return _points(past.counting(from_step, to_step)).where(PointRow.series_id == series_id)
    parts = [_rollups(width, first, end).where(RollupRow.series_id == series_id)]
    for low, high in ((from_step, first * width - 1), (end * width, to_step)):
        if low <= high:
            parts.append(_points(past.counting(low, high)).where(PointRow.series_id == series_id))
    return _union(*parts)


def all_cells(past: History) -> Select[Any]:
    """All series of a run, in as few rows as there are."""
    series = select(SeriesRow.id).where(SeriesRow.run_id == past.run_id)
    width = WIDTHS[-1]
    end = (past.step + 1) // width
    rolled = _rollups(width, 0, end).where(RollupRow.series_id.in_(series))
    return _union(rolled, _points(past.counting(end * width)).where(PointRow.series_id.in_(series)))


def sums(cells: Select[Any], first: int, width: int) -> Select[Any]:
    """Cells by series and bucket of `width` steps from `first` on, in order. A cell belongs where its last step is."""
    cell = cells.subquery().c
    bucket = ((cell.last_step - first) // width).label("bucket")
    columns: list[Any] = [bucket, cell.series_id, func.max(cell.last_step).label("last_step")]
    for name, function in zip(_CELL[2:], ("sum", "min", "max", "sum", "max", "max", "max"), strict=True):
        columns.append(getattr(func, function)(cell[name]).label(name))
    return select(*columns).group_by(cell.series_id, bucket).order_by(cell.series_id, bucket)


def _union(*parts: Select[Any]) -> Select[Any]:
    whole = union_all(*parts).subquery()
    return select(*(whole.c[name] for name in _CELL))


def _points(counts: ColumnElement[bool]) -> Select[Any]:
    value = PointRow.value
    flags = [case((PointRow.flag == flag, 1), else_=0).label(name) for name, flag in _FLAGS.items()]
    columns: list[Any] = [PointRow.series_id, PointRow.step.label("last_step"), literal(1).label("points")]
    columns += [value.label("low"), value.label("high"), value.label("total"), *flags]
    return select(*columns).where(counts)


def _rollups(width: int, first: int, end: int) -> Select[Any]:
    columns = [getattr(RollupRow, name) for name in _CELL]
    return select(*columns).where(RollupRow.width == width, RollupRow.bucket >= first, RollupRow.bucket < end)
