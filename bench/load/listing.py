"""Lists of ten thousand runs over HTTP, filtered and sorted as the dashboard and the client can."""

from typing import Any

from bench.load.figures import Figure, milliseconds, timed
from bench.load.fill import many_runs
from bench.load.service import serving

RUNS, TIMES = 10_000, 100
QUESTIONS: dict[str, dict[str, Any]] = {
    "newest": {},
    "state": {"state": "failed"},
    "states that are rare": {"state": ["starting", "running"]},
    "method and tag": {"method": "trapo", "tag": "seed-7"},
    "a tag that no run has": {"tag": "none"},
    "part of a name, one match": {"name": "number 4321 "},
    "part of a name, no match": {"name": "nothing"},
    "best score of a method": {"method": "trapo", "sort": "-score"},
    "reward within bounds, by name": {"min_reward": 0.4, "max_reward": 0.6, "sort": "name"},
    "everything at once": {
        "state": "succeeded", "kind": "train", "method": "trapo", "tag": "a", "name": "number", "min_score": 0.5,
        "sort": "-reward",
    },
}  # fmt: skip


def measure(database: str, runs: int = RUNS, times: int = TIMES) -> list[Figure]:
    with serving(database, lambda engine, _: many_runs(engine, runs)) as service, service.client() as client:
        figures = []
        for name, params in QUESTIONS.items():
            found = len(client.send("GET", "/runs", params=params).json()["data"])
            took = timed(lambda params=params: client.send("GET", "/runs", params=params), times)  # type: ignore[misc]
            figures.append(milliseconds(f"{runs:,} runs: {name} ({found} found)", took, 95, 50))
        return figures
