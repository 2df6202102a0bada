"""How long a list of many runs takes: `python -m bench.listing [--postgresql URL]`.

Ten thousand runs with specs as they are, and the questions of the dashboard over HTTP (in process).
"""

import argparse
import random
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from fastapi.testclient import TestClient

from api.main import create_app
from bench.charts import SPEC, measure
from runs.db import make_engine, writing
from runs.migrate import upgrade
from runs.settings import Settings
from runs.store import create_run
from runs.tables import RunRow
from trapo_core.methods import METHODS
from trapo_core.spec import parse_spec

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


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--postgresql", default="", help="URL of an empty database; default SQLite")
    asked.add_argument("--runs", type=int, default=10_000)
    asked.add_argument("--times", type=int, default=40)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, home=Path(folder), database_url=given.postgresql)
        fill(settings, given.runs)
        with TestClient(create_app(settings), base_url="http://localhost") as client:
            client.headers["Authorization"] = f"Bearer {(settings.home / 'admin-key').read_text().strip()}"
            print(f"{(given.postgresql and 'postgresql') or 'sqlite'}: {given.runs:,} runs, pages of 50")
            for name, params in QUESTIONS.items():
                report(client, name, params, given.times)


def report(client: TestClient, name: str, params: dict[str, Any], times: int) -> None:
    answer = client.get("/api/v1/runs", params=params)
    assert answer.status_code == 200, answer.text
    took = measure(lambda: client.get("/api/v1/runs", params=params), times)
    found = len(answer.json()["data"])
    print(f"  {name:32} {found:3} found  median {median(took):6.1f} ms  p95 {quantiles(took, n=20)[-1]:6.1f} ms")


def fill(settings: Settings, runs: int) -> None:
    engine = make_engine(settings.database_url)
    upgrade(engine)
    dice = random.Random(0)
    states = ["succeeded"] * 70 + ["failed"] * 20 + ["cancelled"] * 9 + ["queued"]
    with writing(engine) as session:
        template = create_run(session, parse_spec(SPEC), "bench")
        values = {column.key: getattr(template, column.key) for column in RunRow.__table__.columns}
        sparkline = [round(dice.random(), 4) for _ in range(40)]
        for number in range(runs - 1):
            reward, score = dice.random(), dice.random()
            summary = {"reward_unguided": reward, "guided_share": 0.5, "score": score, "sparkline": sparkline}
            row = {
                "id": f"run_{number:026d}", "name": f"number {number} of a sweep", "state": dice.choice(states),
                "method": dice.choice(list(METHODS)), "tags": ["a", f"seed-{number % 10}"],
                "reward": reward, "score": score, "summary": summary,
            }  # fmt: skip
            session.add(RunRow(**values | row))
    engine.dispose()


if __name__ == "__main__":
    main()
