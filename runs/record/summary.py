"""The few numbers that lists show of a run, kept in its row as its events come in."""

import math
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from runs.record.curves import read_curve, scores
from runs.record.rollups import POINTS, History, bound, within
from runs.tables import RunRow, ScoreRow, SeriesRow

MEANS = ("reward/unguided", "guided/share", "time/step_s")
SPARKLINE_POINTS = 40
RECENT_STEPS = 10


def summarize(session: Session, run: RunRow, past: History, first_step: int) -> None:
    """Write the few numbers that lists show into the run's row, after news about steps from `first_step` on."""
    series = select(SeriesRow.key, SeriesRow.id).where(SeriesRow.run_id == run.id, SeriesRow.key.in_(MEANS))
    ids = dict(session.execute(series).tuples().all())
    reward, share, pace = (_recent_mean(session, past, ids.get(key)) for key in MEANS)
    summary = dict(run.summary) | {"reward_unguided": reward, "guided_share": share}
    if sparkline_is_due(first_step, run.step, run.total_steps):
        curve = read_curve(session, run.id, MEANS[0], SPARKLINE_POINTS)
        summary["sparkline"] = [round(mean, 4) if math.isfinite(mean) else None for mean in curve.mean]
    summary["score"] = first_score(run.spec, scores(session, run.id))
    run.summary, run.reward, run.score = summary, reward, summary["score"]
    if run.step and run.progress is None:
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


def _recent_mean(session: Session, past: History, series_id: int | None) -> float | None:
    if series_id is None:
        return None
    ranges = past.ranges()
    rows = session.connection().execute(_recent(len(ranges)), {"of_series": series_id} | bound(ranges))
    values = [value for (value,) in rows if value is not None]
    return round(math.fsum(values) / len(values), 6) if values else None


@cache
def _recent(ranges: int) -> Select[Any]:
    recent = select(POINTS.value).where(POINTS.series_id == bindparam("of_series"), within(ranges))
    return recent.order_by(POINTS.step.desc()).limit(RECENT_STEPS)
