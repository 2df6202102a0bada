"""The few numbers that lists show of a run, kept in its row as its events come in."""

import math
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, CompoundSelect, bindparam, literal, select, union_all, update
from sqlalchemy.orm import Session

from runs.record.curves import read_curve, scores
from runs.record.rollups import POINTS, History, bound, within
from runs.tables import RunRow, ScoreRow

MEANS = ("reward/unguided", "guided/share", "time/step_s")
SPARKLINE_POINTS = 40
RECENT_STEPS = 10


class Standing(NamedTuple):
    """Of a run's row, what its summary goes on from."""

    total_steps: int
    progress: dict[str, Any] | None
    summary: dict[str, Any]


def follow_steps(
    session: Session, past: History, standing: Standing, series_ids: dict[str, int], first_step: int
) -> None:
    """Write what lists show into the run's row, after news about steps from `first_step` on."""
    reward, share, pace = _recent_means(session, past, [series_ids.get(key) for key in MEANS])
    summary = standing.summary | {"reward_unguided": reward, "guided_share": share}
    total = standing.total_steps
    if sparkline_is_due(first_step, past.step, total):
        curve = read_curve(session, past.run_id, MEANS[0], SPARKLINE_POINTS)
        summary["sparkline"] = [round(mean, 4) if math.isfinite(mean) else None for mean in curve.mean]
    fresh: dict[str, Any] = {"summary": summary, "reward": reward}
    if past.step and standing.progress is None:
        eta = None if pace is None else round(pace * max(0, total - past.step), 1)
        fresh["progress"] = {"stage": "training", "done": past.step, "total": total, "eta_s": eta}
    session.connection().execute(update(RunRow).where(RunRow.id == past.run_id).values(**fresh))


def follow_scores(session: Session, run: RunRow) -> None:
    """The same after news about scores, or a resume that made some void."""
    run.score = first_score(run.spec, scores(session, run.id))
    run.summary = run.summary | {"score": run.score}


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


def _recent_means(session: Session, past: History, series_ids: list[int | None]) -> list[float | None]:
    """Of each series, whatever of its latest points is finite."""
    ranges = past.ranges()
    asked = {f"series_{place}": series_id for place, series_id in enumerate(series_ids)} | bound(ranges)
    values: list[list[float]] = [[] for _ in series_ids]
    for place, value in session.connection().execute(_recent(len(series_ids), len(ranges)), asked):
        if value is not None:
            values[place].append(value)
    return [round(math.fsum(of) / len(of), 6) if of else None for of in values]


@cache
def _recent(series: int, ranges: int) -> CompoundSelect[Any]:
    parts = []
    for place in range(series):
        of_series = POINTS.series_id == bindparam(f"series_{place}", type_=BigInteger)
        values = select(literal(place), POINTS.value).where(of_series, within(ranges))
        parts.append(select(values.order_by(POINTS.step.desc()).limit(RECENT_STEPS).subquery()))
    return union_all(*parts)
