"""The points of one history, and their roll-ups.

A run's attempts are segments; a step counts in the segment that nothing superseded. Roll-ups sum up the points that
count over 8, 32, 128 and 512 steps, so that a chart reads at most four rows for each of its points: minimum, maximum,
sum, and which values that are not finite occurred. Ingest writes one as soon as its last step is there, in the
transaction of the points; a resume deletes those that reach beyond the step it goes back to. What is not rolled up yet
is read from the points.

Charts and ingest ask the same few questions all the time, and to build such a statement costs more than to answer it.
So each is built once for a number of ranges, and a `Question` is what is bound to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from runs.tables import PointRow, RollupRow, RunRow, SegmentRow, SeriesRow

WIDTHS = (8, 32, 128, 512)
LARGEST = 2**62  # above any step
POINTS, ROLLUPS = PointRow.__table__.c, RollupRow.__table__.c
RUNS, SEGMENTS = RunRow.__table__.c, SegmentRow.__table__.c
_FUNCTIONS: dict[str, Callable[[Any], ColumnElement[Any]]] = {
    **{"last_step": func.max, "points": func.sum, "low": func.min, "high": func.max, "total": func.sum},
    **{"nan": func.max, "high_inf": func.max, "low_inf": func.max},
}
_CELL = ("series_id", *_FUNCTIONS)
_FLAGS = {"nan": 1, "high_inf": 2, "low_inf": 3}  # as in PointRow.flag
Range = tuple[int, int, int]


@dataclass(frozen=True)
class History:
    """A run up to `step`: what is complete there is rolled up. `segments` are (number, first step, last step); they do
    not overlap, so each step counts once."""

    run_id: str
    step: int = 0
    segments: list[Range] = field(default_factory=list)

    def ranges(self, from_step: int = 0, to_step: int = LARGEST) -> list[Range]:
        """What counts between two steps, one range a segment, so that the database looks at no other steps."""
        cut = [(number, max(first, from_step), min(last, to_step)) for number, first, last in self.segments]
        return [(number, first, last) for number, first, last in cut if first <= last]

    def counting(self, from_step: int = 0, to_step: int = LARGEST, row: Any = PointRow) -> ColumnElement[bool]:
        """The condition that a row with `segment` and `step` counts."""
        parts = [
            and_(row.segment == number, row.step.between(first, last))
            for number, first, last in self.ranges(from_step, to_step)
        ]
        return or_(*parts) if parts else false()


def histories(session: Session, run_ids: Sequence[str]) -> dict[str, History]:
    """Also of runs that are not there: their points are none."""
    found = {run_id: History(run_id) for run_id in run_ids}
    for run_id, step, number, first, last in session.connection().execute(_lives(), {"run_ids": run_ids}):
        segments = found[run_id].segments
        if number is not None:
            segments.append((number, first, LARGEST if last is None else last))
        found[run_id] = History(run_id, step, segments)
    return found


@cache
def _lives() -> Select[Any]:
    """Of some runs, each segment beside its run; a run without any once."""
    columns = (RUNS.id, RUNS.step, SEGMENTS.segment, SEGMENTS.first_step, SEGMENTS.last_step)
    both = RunRow.__table__.outerjoin(SegmentRow.__table__, SEGMENTS.run_id == RUNS.id)
    return select(*columns).select_from(both).where(RUNS.id.in_(bindparam("run_ids", expanding=True)))


def history(session: Session, run_id: str) -> History:
    return histories(session, [run_id])[run_id]


def within(ranges: int, name: str = "") -> ColumnElement[bool]:
    """The condition that a point lies in one of so many ranges, which `bound` gives under the same name."""
    return or_(*(_in_range(f"{name}{n}") for n in range(ranges))) if ranges else false()


def _in_range(name: str) -> ColumnElement[bool]:
    steps = POINTS.step.between(_given(f"low_{name}"), _given(f"high_{name}"))
    return and_(POINTS.segment == _given(f"segment_{name}"), steps)


def bound(ranges: Sequence[Range], name: str = "") -> dict[str, int]:
    values: dict[str, int] = {}
    for n, (segment, low, high) in enumerate(ranges):
        values |= {f"segment_{name}{n}": segment, f"low_{name}{n}": low, f"high_{name}{n}": high}
    return values


@dataclass(frozen=True)
class Question:
    """Sums by bucket of `into` steps from step `origin` on: of roll-ups of `width`, from bucket `first` to before
    `end`, and of the points in `ranges`."""

    into: int
    origin: int = 0
    width: int = 1
    first: int = 0
    end: int = 0
    ranges: Sequence[Range] = ()

    def statement(self, *, whole_run: bool) -> Select[Any]:
        return _sums(self.first < self.end, len(self.ranges), whole_run)

    def chart(self) -> Select[Any]:
        """Of one series, what a chart shows: last step, minimum, maximum, mean, and what is not finite as bits."""
        return _chart(self.first < self.end, len(self.ranges))

    def values(self) -> dict[str, int]:
        asked = {"into": self.into, "origin": self.origin, "of_width": self.width}
        return asked | {"first_bucket": self.first, "end_bucket": self.end} | bound(self.ranges)


def in_buckets(past: History, width: int, from_step: int, to_step: int) -> Question:
    """Over [from_step, to_step]: roll-ups where they are, the widest that fit `width`; points before and after them."""
    finer = max(w for w in (1, *WIDTHS) if w <= width)
    first, end = -(-from_step // finer), (min(to_step, past.step) + 1) // finer
    if finer == 1 or first >= end:
        return Question(width, from_step, ranges=past.ranges(from_step, to_step))
    around = [*past.ranges(from_step, first * finer - 1), *past.ranges(end * finer, to_step)]
    return Question(width, from_step, finer, first, end, around)


def all_in_one(past: History) -> Question:
    """The whole run, in as few rows as there are."""
    width = WIDTHS[-1]
    end = (past.step + 1) // width
    return Question(LARGEST, 0, width, 0, end, past.ranges(end * width))


def roll_up(session: Session, past: History, after: int) -> None:
    """Write what became complete while the run went on from step `after`."""
    finer = 1
    for width in WIDTHS:
        first, end = (after + 1) // width, (past.step + 1) // width
        if first >= end:
            return  # nor is anything complete that is wider
        asked = (
            Question(width, ranges=past.ranges(first * width, end * width - 1))
            if finer == 1
            else Question(width, 0, finer, first * width // finer, end * width // finer)
        )
        of_run = {"of_run": past.run_id}
        forgotten = of_run | {"of_width": width, "first_bucket": first, "end_bucket": end}
        session.connection().execute(_forget(), forgotten)
        session.connection().execute(
            _write(asked.statement(whole_run=True)), asked.values() | of_run | {"new_width": width}
        )
        finer = width


def supersede(session: Session, run_id: str, step: int) -> None:
    """Forget what reaches beyond `step`: the run goes on from there."""
    series = select(SeriesRow.id).where(SeriesRow.run_id == run_id)
    beyond = (RollupRow.bucket + 1) * RollupRow.width - 1 > step
    session.execute(delete(RollupRow).where(RollupRow.series_id.in_(series), beyond))


def _given(name: str) -> Any:
    return bindparam(name, type_=BigInteger())


def _series(column: Any, whole_run: bool) -> ColumnElement[bool]:
    chosen: ColumnElement[bool]
    if whole_run:
        chosen = column.in_(select(SeriesRow.id).where(SeriesRow.run_id == bindparam("of_run")))
    else:
        chosen = column == _given("of_series")
    return chosen


def _between_buckets() -> ColumnElement[bool]:
    begun = and_(ROLLUPS.bucket >= _given("first_bucket"), ROLLUPS.bucket < _given("end_bucket"))
    return and_(ROLLUPS.width == _given("of_width"), begun)


@cache
def _forget() -> Any:
    return delete(RollupRow).where(_series(ROLLUPS.series_id, True), _between_buckets())


@cache
def _write(sums: Select[Any]) -> Any:
    names = ["bucket", *_CELL, "width"]
    return insert(RollupRow).from_select(names, sums.add_columns(_given("new_width")))


@cache
def _sums(rolled: bool, ranges: int, whole_run: bool) -> Select[Any]:
    """Cells by series and bucket, in order. A cell belongs where its last step is."""
    cell, bucket = _cells(rolled, ranges, whole_run)
    columns = [bucket, cell.series_id, *(function(cell[name]).label(name) for name, function in _FUNCTIONS.items())]
    return select(*columns).group_by(cell.series_id, bucket).order_by(cell.series_id, bucket)


@cache
def _chart(rolled: bool, ranges: int) -> Select[Any]:
    """Half the columns of `_sums`: of a chart's time most goes into handing over what the database found."""
    cell, bucket = _cells(rolled, ranges, False)
    sums = {name: function(cell[name]) for name, function in _FUNCTIONS.items()}
    mean = sums["total"] / sums["points"]
    odd = sums["nan"] + 2 * sums["high_inf"] + 4 * sums["low_inf"]
    return select(sums["last_step"], sums["low"], sums["high"], mean, odd).group_by(bucket).order_by(bucket)


def _cells(rolled: bool, ranges: int, whole_run: bool) -> tuple[Any, ColumnElement[int]]:
    """The columns of all cells, of roll-ups and points alike, and the bucket that each belongs to."""
    # A range each: of two ranges joined by OR, SQLite reads all that lies between them.
    parts = [_points(_in_range(str(n)), whole_run) for n in range(ranges)]
    if rolled:
        buckets = select(*(ROLLUPS[name] for name in _CELL)).where(_between_buckets())
        parts.append(buckets.where(_series(ROLLUPS.series_id, whole_run)))
    parts = parts or [_points(false(), whole_run)]
    cell = union_all(*parts).subquery().c
    return cell, ((cell.last_step - _given("origin")) // _given("into")).label("bucket")


def _points(counts: ColumnElement[bool], whole_run: bool) -> Select[Any]:
    value = POINTS.value
    flags = [case((POINTS.flag == flag, 1), else_=0).label(name) for name, flag in _FLAGS.items()]
    columns: list[Any] = [POINTS.series_id, POINTS.step.label("last_step"), literal(1).label("points")]
    columns += [value.label("low"), value.label("high"), value.label("total"), *flags]
    return select(*columns).where(counts, _series(POINTS.series_id, whole_run))
