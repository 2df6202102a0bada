"""Reading curves, scores and checkpoints as one history: each step once, whatever was resumed.

A point counts if its step lies in its segment. Up to the asked number of steps the values are exact; above, steps are
put into buckets of equal width and each bucket gives minimum, maximum and mean, and NaN if it holds one: a spike of one
step and a single NaN always show.
"""

import math
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from runs.record.rollups import LARGEST, POINTS, History, all_in_one, bound, histories, history, in_buckets, within
from runs.record.smoothing import trailing_means
from runs.tables import CheckpointRow, OutcomeRow, PointRow, ScoreRow, SegmentRow, SeriesRow

Row = TypeVar("Row", ScoreRow, CheckpointRow, OutcomeRow)
_FLAGS = {1: math.nan, 2: math.inf, 3: -math.inf}


@dataclass
class Curve:
    """Columns of equal length; see `api/schemas/curves.py`."""

    run_id: str
    key: str
    steps: list[int] = field(default_factory=list)
    min: list[float] = field(default_factory=list)
    max: list[float] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)

    def add(self, step: int, low: float, high: float, mean: float) -> None:
        self.steps.append(step)
        self.min.append(low)
        self.max.append(high)
        self.mean.append(mean)


@dataclass(frozen=True)
class SeriesInfo:
    key: str
    points: int
    last_step: int
    last_value: float


def flagged(value: float) -> tuple[float | None, int]:
    """(value, flag) as stored: a database has no NaN that compares, and JSON none at all."""
    if math.isfinite(value):
        return value, 0
    return None, 1 if math.isnan(value) else 2 if value > 0 else 3


def unflagged(value: float | None, flag: int) -> float:
    return _FLAGS[flag] if flag else float(value or 0.0)


def read_curve(
    session: Session, run_id: str, key: str, points: int, from_step: int = 0, to_step: int | None = None
) -> Curve:
    """One curve over [from_step, to_step]; empty if the run has no such series."""
    return read_curves(session, [run_id], [key], points, from_step, to_step)[0]


def read_curves(
    session: Session,
    run_ids: list[str],
    keys: list[str],
    points: int,
    from_step: int = 0,
    to_step: int | None = None,
    smooth: int = 1,
) -> list[Curve]:
    """By run, then by key, as asked for; `smooth` as in `runs/record/smoothing.py`."""
    known = select(SeriesRow.run_id, SeriesRow.key, SeriesRow.id)
    rows = session.execute(known.where(SeriesRow.run_id.in_(run_ids), SeriesRow.key.in_(keys)))
    ids = {(run_id, key): series_id for run_id, key, series_id in rows}
    past = histories(session, run_ids)
    curves = []
    asked = (from_step, to_step)
    for run_id, key in product(run_ids, keys):
        curve, series_id = Curve(run_id, key), ids.get((run_id, key))
        if series_id is not None and smooth > 1:
            for values in trailing_means(session.connection(), past[run_id], series_id, points, asked, smooth):
                curve.add(*values)
        elif series_id is not None:
            _fill(session.connection(), curve, past[run_id], series_id, points, asked)
        curves.append(curve)
    return curves


def _fill(
    database: Connection, curve: Curve, past: History, series_id: int, points: int, asked: tuple[int, int | None]
) -> None:
    """Past the ORM, whose rows cost as much as the database's work."""
    ranges = past.ranges(asked[0], LARGEST if asked[1] is None else asked[1])
    wanted = {"of_series": series_id, "most": points + 1} | bound(ranges)
    count, first, last = database.execute(_extent(len(ranges)), wanted).one()
    if count <= points:
        for at, value, flag in database.execute(_exact(len(ranges)), wanted).all():
            number = unflagged(value, flag)
            curve.add(at, number, number, number)
        return
    question = in_buckets(past, -(-(last - first + 1) // points), first, last)
    found = question.values() | {"of_series": series_id}
    rows = database.execute(question.chart(), found).all()
    steps, lows, highs, means, odd = map(list, zip(*rows, strict=True))
    curve.steps, curve.min, curve.max, curve.mean = steps, lows, highs, means
    for at, bits in enumerate(odd):
        if bits:
            curve.min[at], curve.max[at], curve.mean[at] = bucket_values(lows[at], highs[at], bits)


@cache
def _extent(ranges: int) -> Select[Any]:
    """How many points there are, up to `most`, and the first and last step."""
    step = select(POINTS.step).where(POINTS.series_id == bindparam("of_series"), within(ranges))
    some = step.order_by(POINTS.step).limit(bindparam("most")).subquery()
    end = step.order_by(POINTS.step.desc()).limit(1).scalar_subquery()
    return select(func.count(), func.min(some.c.step), end).select_from(some)


@cache
def _exact(ranges: int) -> Select[Any]:
    wanted = select(POINTS.step, POINTS.value, POINTS.flag).where(POINTS.series_id == bindparam("of_series"))
    return wanted.where(within(ranges)).order_by(POINTS.step)


def bucket_values(low: float | None, high: float | None, bits: int) -> tuple[float, float, float]:
    """(min, max, mean) of a bucket that holds NaN (bit 1), infinity (2) or -infinity (4). NaN takes the mean, and min
    and max too only where the bucket has nothing else; infinities take the side they are on."""
    nan, high_inf, low_inf = (bool(bits & bit) for bit in (1, 2, 4))
    known = [value for value in (low, high) if value is not None]
    known += [-math.inf] * low_inf + [math.inf] * high_inf
    if not known:
        return math.nan, math.nan, math.nan
    mean = math.nan if nan or (high_inf and low_inf) else math.inf if high_inf else -math.inf
    return min(known), max(known), mean


def catalogue(session: Session, run_id: str) -> list[SeriesInfo]:
    """Every series of a run with its size and last value, by key."""
    past = history(session, run_id)
    question = all_in_one(past)
    sized = question.statement(whole_run=True).subquery()
    shown = past.ranges()
    last = (
        select(SeriesRow.key, sized.c.points, POINTS.step, POINTS.value, POINTS.flag)
        .join(sized, sized.c.series_id == SeriesRow.id)
        .join(PointRow, and_(POINTS.series_id == SeriesRow.id, POINTS.step == sized.c.last_step))
        .where(within(len(shown), "shown_"))
        .order_by(SeriesRow.key)
    )
    values = question.values() | bound(shown, "shown_") | {"of_run": run_id}
    return [
        SeriesInfo(key, points, step, unflagged(value, flag))
        for key, points, step, value, flag in session.execute(last, values)
    ]


def scores(session: Session, run_id: str) -> list[ScoreRow]:
    """By step; where two attempts scored the same step, the later one's."""
    query = _visible(ScoreRow).where(ScoreRow.run_id == run_id).order_by(ScoreRow.step, ScoreRow.segment)
    newest = {(row.step, row.benchmark, row.metric): row for row in session.scalars(query)}
    return list(newest.values())


def outcomes(session: Session, run_id: str, benchmark: str) -> list[OutcomeRow]:
    """By step, as scores."""
    query = _visible(OutcomeRow).where(OutcomeRow.run_id == run_id, OutcomeRow.benchmark == benchmark)
    rows = session.scalars(query.order_by(OutcomeRow.step, OutcomeRow.segment))
    return list({row.step: row for row in rows}.values())


def checkpoints(session: Session, run_id: str) -> list[CheckpointRow]:
    query = (
        _visible(CheckpointRow)
        .where(CheckpointRow.run_id == run_id)
        .order_by(CheckpointRow.step, CheckpointRow.segment)
    )
    return list({row.step: row for row in session.scalars(query)}.values())


def _visible(row: type[Row]) -> Select[Row]:
    # From below a segment is open: an evaluation before its first step is at `first_step - 1`.
    in_segment = and_(
        SegmentRow.run_id == row.run_id,
        SegmentRow.segment == row.segment,
        or_(SegmentRow.last_step.is_(None), row.step <= SegmentRow.last_step),
    )
    return select(row).join(SegmentRow, in_segment)
