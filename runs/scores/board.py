"""What the benchmark board shows of a run: for every benchmark and metric the score at its last evaluated step, and at
its best one. Kept in rows of their own as scores come in, so that a thousand runs are read without their histories.

The best step is that of `checkpoints.keep_best`, whose one benchmark and metric decide; a run without it has only a
last.
"""

import hashlib
import json
import struct
from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from runs.db import insert_new
from runs.record import curves
from runs.tables import BoardRow, OutcomeRow, RunRow, ScoreRow
from trapo_core.events import BenchmarkOutcomes

# What names a run or repeats it, not what it does.
APART = frozenset({"name", "tags", "seed"})
SHOWN = (
    "segment", "step", "benchmark", "metric", "score", "low", "high", "confidence", "interval", "problems", "samples",
)  # fmt: skip


def outcome_values(event: BenchmarkOutcomes) -> dict[str, Any]:
    """Of a row of `outcomes`."""
    return {
        "step": event.step, "benchmark": event.benchmark, "setting_digest": digest(event.setting),
        "problems_digest": event.problems, "right": struct.pack(f"<{len(event.right)}H", *event.right),
    }  # fmt: skip


def right_of(row: OutcomeRow) -> tuple[int, ...]:
    """How often each problem was right."""
    return struct.unpack(f"<{len(row.right) // 2}H", row.right)


def setting_values(event: BenchmarkOutcomes) -> dict[str, Any]:
    return {"digest": digest(event.setting), "setting": event.setting}


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def renew(session: Session, run: RunRow) -> None:
    """Write this run's rows again, after news about its scores or its history."""
    scores = curves.scores(session, run.id)
    session.execute(delete(BoardRow).where(BoardRow.run_id == run.id))
    if not scores:
        return
    keys = {
        (row.segment, row.step, row.benchmark): (row.setting_digest, row.problems_digest)
        for row in session.execute(
            select(
                OutcomeRow.segment, OutcomeRow.step, OutcomeRow.benchmark, OutcomeRow.setting_digest,
                OutcomeRow.problems_digest,
            ).where(OutcomeRow.run_id == run.id)
        )
    }  # fmt: skip
    # What was imported without a spec is like no other run.
    alike = {name: value for name, value in run.spec.items() if name not in APART} if "seed" in run.spec else run.id
    of_run = {"run_id": run.id, "seed": run.spec.get("seed", 0), "spec_digest": digest(alike)}
    rows = []
    for at, shown in (("last", scores), ("best", at_best(run.spec, scores))):
        for row in last_of_each(shown):
            setting, problems = keys.get((row.segment, row.step, row.benchmark), (None, None))
            values = {name: getattr(row, name) for name in SHOWN}
            rows.append({**of_run, **values, "at": at, "setting_digest": setting, "problems_digest": problems})
    insert_new(session, BoardRow, rows)


def last_of_each(scores: Iterable[ScoreRow]) -> list[ScoreRow]:
    """Of each benchmark and metric; `scores` are in order of their steps."""
    return list({(row.benchmark, row.metric): row for row in scores}.values())


def at_best(spec: dict[str, Any], scores: list[ScoreRow]) -> list[ScoreRow]:
    """All scores of the step at which the one that `keep_best` names was highest, the earliest of several; all scores
    where it names none."""
    best = spec.get("checkpoints", {}).get("keep_best")
    deciding = [row for row in scores if best and (row.benchmark, row.metric) == (best["benchmark"], best["metric"])]
    if not deciding:
        return scores
    step = max(deciding, key=lambda row: (row.score, -row.step)).step
    return [row for row in scores if row.step == step]
