"""The few numbers that lists show of a run, kept in its row as its events come in."""

import math
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from runs.curves import read_curve, scores
from runs.rollups import history
from runs.tables import PointRow, RunRow, ScoreRow, SeriesRow

SPARKLINE_POINTS = 40
RECENT_STEPS = 10


def summarize(session: Session, run: RunRow, first_step: int) -> None:
    """Write the few numbers that lists show into the run's row, after news about steps from `first_step` on."""
    summary = dict(run.summary)
    summary["reward_unguided"] = _recent_mean(session, run.id, "reward/unguided")
    summary["guided_share"] = _recent_mean(session, run.id, "guided/share")
    if sparkline_is_due(first_step, run.step, run.total_steps):
        curve = read_curve(session, run.id, "reward/unguided", SPARKLINE_POINTS)
        summary["sparkline"] = [round(mean, 4) if math.isfinite(mean) else None for mean in curve.mean]
    summary["score"] = first_score(run.spec, scores(session, run.id))
    run.summary, run.reward, run.score = summary, summary["reward_unguided"], summary["score"]
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


def _recent_mean(session: Session, run_id: str, key: str) -> float | None:
    series_id = session.scalar(select(SeriesRow.id).where(SeriesRow.run_id == run_id, SeriesRow.key == key))
    if series_id is None:
        return None
    recent = select(PointRow.value).where(PointRow.series_id == series_id, history(session, run_id).counting())
    rows = session.scalars(recent.order_by(PointRow.step.desc()).limit(RECENT_STEPS))
    values = [value for value in rows if value is not None]
    return round(math.fsum(values) / len(values), 6) if values else None
