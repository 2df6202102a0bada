"""Reading curves, guidance and scores as one history: each step once, whatever was resumed.

A point counts if its step lies in its segment. Up to the asked number of steps the values are exact; above, steps are
put into buckets of equal width and each bucket gives minimum, maximum and mean, and NaN if it holds one: a spike of one
step and a single NaN always show.
"""

import math
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from runs.tables import CheckpointRow, GuidanceRow, PointRow, RunRow, ScoreRow, SegmentRow, SeriesRow

SPARKLINE_POINTS = 40
RECENT_STEPS = 10
Row = TypeVar("Row", ScoreRow, CheckpointRow, GuidanceRow)
_FLAGS = {1: math.nan, 2: math.inf, 3: -math.inf}


@dataclass
class Curve:
    """Columns of equal length; see `api/schemas.py`."""

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
    wanted = [SeriesRow.run_id == run_id, SeriesRow.key == key, PointRow.step >= from_step]
    if to_step is not None:
        wanted.append(PointRow.step <= to_step)
    visible = _visible_points().where(*wanted)
    rows = visible.with_only_columns(func.count(), func.min(PointRow.step), func.max(PointRow.step))
    count, first, last = session.execute(rows).one()
    curve = Curve(run_id, key)
    if count <= points:
        exact = visible.with_only_columns(PointRow.step, PointRow.value, PointRow.flag).order_by(PointRow.step)
        for step, value, flag in session.execute(exact):
            number = unflagged(value, flag)
            curve.add(step, number, number, number)
        return curve
    for bucket in session.execute(_buckets(visible, first, -(-(last - first + 1) // points))):
        curve.add(bucket.last_step, *bucket_values(bucket))
    return curve


def _buckets(visible: Select[Any], first: int, width: int) -> Select[Any]:
    bucket = (PointRow.step - first) // width
    columns: list[Any] = [
        func.max(PointRow.step).label("last_step"),
        func.min(PointRow.value).label("low"),
        func.max(PointRow.value).label("high"),
        func.avg(PointRow.value).label("mean"),
    ]
    for flag, name in ((1, "nan"), (2, "high_inf"), (3, "low_inf")):
        columns.append(func.max(case((PointRow.flag == flag, 1), else_=0)).label(name))
    found: Select[Any] = visible.with_only_columns(*columns).group_by(bucket).order_by(bucket)
    return found


def bucket_values(bucket: Any) -> tuple[float, float, float]:
    """(min, max, mean). NaN takes the mean, and min and max too only where the bucket has nothing else; infinities take
    the side they are on."""
    known = [] if bucket.low is None else [bucket.low, bucket.high]
    known += [-math.inf] * bucket.low_inf + [math.inf] * bucket.high_inf
    if not known:
        return math.nan, math.nan, math.nan
    low, high = min(known), max(known)
    if bucket.nan or (bucket.low_inf and bucket.high_inf):
        return low, high, math.nan
    infinite = math.inf if bucket.high_inf else -math.inf if bucket.low_inf else None
    return low, high, bucket.mean if infinite is None else infinite


def catalogue(session: Session, run_id: str) -> list[SeriesInfo]:
    """Every series of a run with its size and last value, by key."""
    counted = (
        _visible_points()
        .with_only_columns(PointRow.series_id, func.count().label("points"), func.max(PointRow.step).label("last_step"))
        .where(SeriesRow.run_id == run_id)
        .group_by(PointRow.series_id)
        .subquery()
    )
    last = (
        _visible_points()
        .with_only_columns(SeriesRow.key, counted.c.points, PointRow.step, PointRow.value, PointRow.flag)
        .join(counted, and_(counted.c.series_id == PointRow.series_id, counted.c.last_step == PointRow.step))
        .order_by(SeriesRow.key)
    )
    return [
        SeriesInfo(key, points, step, unflagged(value, flag))
        for key, points, step, value, flag in session.execute(last)
    ]


def summarize(session: Session, run: RunRow, first_step: int) -> None:
    """Write the few numbers that lists show into the run's row, after news about steps from `first_step` on."""
    summary = dict(run.summary)
    summary["reward_unguided"] = _recent_mean(session, run.id, "reward/unguided")
    summary["guided_share"] = _recent_mean(session, run.id, "guided/share")
    if sparkline_is_due(first_step, run.step, run.total_steps):
        curve = read_curve(session, run.id, "reward/unguided", SPARKLINE_POINTS)
        summary["sparkline"] = [round(mean, 4) if math.isfinite(mean) else None for mean in curve.mean]
    summary["score"] = first_score(run.spec, scores(session, run.id))
    run.summary = summary
    if run.step and run.progress is None:
        pace = _recent_mean(session, run.id, "time/step_s")
        eta = None if pace is None else round(pace * max(0, run.total_steps - run.step), 1)
        run.progress = {"stage": "training", "done": run.step, "total": run.total_steps, "eta_s": eta}


def sparkline_is_due(first_step: int, last_step: int, total_steps: int) -> bool:
    """Reading a whole curve costs more the longer it is, so it is done some 200 times in a run's life."""
    stride = max(1, total_steps // (5 * SPARKLINE_POINTS))
    return (first_step - 1) // stride != last_step // stride or last_step >= total_steps


def first_score(spec: dict[str, Any], rows: list[ScoreRow]) -> float | None:
    """The latest avg@k of the spec's first benchmark."""
    benchmarks = spec.get("benchmarks") or spec.get("evaluation", {}).get("benchmarks") or []
    name = benchmarks[0]["name"] if benchmarks else None
    averages = [row.score for row in rows if row.benchmark == name and row.metric.startswith("avg@")]
    return averages[-1] if averages else None


def scores(session: Session, run_id: str) -> list[ScoreRow]:
    """By step; where two attempts scored the same step, the later one's."""
    query = _visible(ScoreRow).where(ScoreRow.run_id == run_id).order_by(ScoreRow.step, ScoreRow.segment)
    newest = {(row.step, row.benchmark, row.metric): row for row in session.scalars(query)}
    return list(newest.values())


def checkpoints(session: Session, run_id: str) -> list[CheckpointRow]:
    query = (
        _visible(CheckpointRow)
        .where(CheckpointRow.run_id == run_id)
        .order_by(CheckpointRow.step, CheckpointRow.segment)
    )
    return list({row.step: row for row in session.scalars(query)}.values())


def guidance(session: Session, run_id: str, from_step: int, to_step: int | None) -> list[GuidanceRow]:
    query = _visible(GuidanceRow).where(GuidanceRow.run_id == run_id, GuidanceRow.step >= from_step)
    if to_step is not None:
        query = query.where(GuidanceRow.step <= to_step)
    return list(
        {row.step: row for row in session.scalars(query.order_by(GuidanceRow.step, GuidanceRow.segment))}.values()
    )


def add_up(rows: list[GuidanceRow], points: int) -> tuple[int, list[dict[str, Any]]]:
    """Neighbouring steps added up so that at most `points` remain: (steps per bucket, buckets)."""
    width = max(1, -(-len(rows) // points))
    return width, [_sum_steps(rows[start : start + width]) for start in range(0, len(rows), width)]


def _sum_steps(rows: list[GuidanceRow]) -> dict[str, Any]:
    slots: dict[tuple[int, float], dict[str, Any]] = {}
    counts: list[int] = []
    for row in rows:
        for slot in row.slots:
            into = slots.setdefault((slot["slot"], slot["ratio"]), {**slot, **dict.fromkeys(_SUMS, 0)})
            for name in _SUMS:
                into[name] += slot[name]
        more = row.prefix_lengths["counts"]
        counts += [0] * (len(more) - len(counts))
        for index, count in enumerate(more):
            counts[index] += count
    lengths = {"bin_tokens": rows[-1].prefix_lengths["bin_tokens"], "counts": counts}
    return {"step": rows[-1].step, "slots": [slots[key] for key in sorted(slots)], "prefix_lengths": lengths}


_SUMS = ("guided", "guided_reward", "unguided", "unguided_reward")


def _recent_mean(session: Session, run_id: str, key: str) -> float | None:
    query = (
        _visible_points()
        .with_only_columns(PointRow.value, PointRow.flag)
        .where(SeriesRow.run_id == run_id, SeriesRow.key == key)
    )
    recent = session.execute(query.order_by(PointRow.step.desc()).limit(RECENT_STEPS))
    values = [value for value, _ in recent if value is not None]
    return round(math.fsum(values) / len(values), 6) if values else None


def _visible_points() -> Select[Any]:
    in_segment = and_(
        SegmentRow.run_id == SeriesRow.run_id,
        SegmentRow.segment == PointRow.segment,
        PointRow.step >= SegmentRow.first_step,
        or_(SegmentRow.last_step.is_(None), PointRow.step <= SegmentRow.last_step),
    )
    return select(PointRow).join(SeriesRow, SeriesRow.id == PointRow.series_id).join(SegmentRow, in_segment)


def _visible(row: type[Row]) -> Select[Row]:
    # From below a segment is open: an evaluation before its first step is at `first_step - 1`.
    in_segment = and_(
        SegmentRow.run_id == row.run_id,
        SegmentRow.segment == row.segment,
        or_(SegmentRow.last_step.is_(None), row.step <= SegmentRow.last_step),
    )
    return select(row).join(SegmentRow, in_segment)
