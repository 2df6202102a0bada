"""Charts of long runs over HTTP: one key of ten runs of 100,000 steps, a bucket a pixel, and parts of them. Beside it,
in process, the same from the points alone, as it was before there were roll-ups."""

from statistics import median
from typing import Any

from bench.load.figures import Figure, milliseconds, spread, timed
from bench.load.fill import KEYS, long_run
from bench.load.service import Service, serving
from runs.db import reading
from runs.record import curves, rollups

RUNS, STEPS, TIMES = 10, 100_000, 100


def measure(database: str, runs: int = RUNS, steps: int = STEPS, times: int = TIMES) -> list[Figure]:
    ids: list[str] = []
    with serving(
        database, lambda engine, home: ids.extend(long_run(engine, home, n, steps) for n in range(runs))
    ) as service:
        questions: dict[str, dict[str, Any]] = {
            "whole, 1,000 points": {},
            "a third": {"from_step": steps // 3, "to_step": 2 * steps // 3},
            "8 %, edges within roll-ups": {"from_step": steps // 90, "to_step": steps // 11},
            "whole, 200 points": {"points": 200},
        }
        figures = [_chart(service, f"chart of {runs} runs × {steps:,} steps, {name}", ids, asked, times)
                   for name, asked in questions.items()]  # fmt: skip
        with service.client() as client:
            took = timed(lambda: client.send("GET", f"/runs/{ids[0]}/series"), times)
        return [*figures, milliseconds("catalogue of one of them", took, 95, 100), _gain(service, ids)]


def _chart(service: Service, what: str, ids: list[str], asked: dict[str, Any], times: int) -> Figure:
    question = {"run_ids": ids, "keys": [KEYS[0]], "points": 1000, **asked}
    with service.client() as client:
        found = client.send("POST", "/series:query", json=question).json()["data"]
        if [curve["run_id"] for curve in found] != ids or not all(curve["steps"] for curve in found):
            raise RuntimeError("curves are missing")
        return milliseconds(what, timed(lambda: client.send("POST", "/series:query", json=question), times), 95, 100)


def _gain(service: Service, ids: list[str]) -> Figure:
    def read() -> None:
        with reading(service.engine) as session:
            curves.read_curves(session, ids, [KEYS[0]], 1000)

    rolled = timed(read, 10)
    widths, rollups.WIDTHS = rollups.WIDTHS, (1 << 60,)
    try:
        raw = timed(read, 3)
    finally:
        rollups.WIDTHS = widths
    return Figure(
        "the first chart, in process: points alone ÷ roll-ups", spread([seconds / median(rolled) for seconds in raw], 1)
    )
