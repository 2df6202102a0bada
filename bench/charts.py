"""How long a chart of long runs takes: `python -m bench.charts [--postgresql URL]`.

Ten runs of 100,000 steps are ingested from events files; then the dashboard's question, one key of all ten with a
bucket per pixel, is asked over HTTP (in process) again and again. Beside it the same answer from the points alone, as
it was before there were roll-ups.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.main import create_app
from runs import leases, rollups
from runs.db import make_engine, writing
from runs.ingest import ingest
from runs.leases import Worker
from runs.migrate import upgrade
from runs.settings import Settings
from runs.store import create_run
from trapo_core.events import EVENTS_FILE
from trapo_core.spec import parse_spec

SPEC = {"model": {"source": "small_world"}, "data": {"format": "small_world"}, "steps": 10, "prompts_per_step": 2}
KEYS = ("reward/unguided", "policy/entropy")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--postgresql", default="", help="URL of an empty database; default SQLite")
    asked.add_argument("--runs", type=int, default=10)
    asked.add_argument("--steps", type=int, default=100_000)
    asked.add_argument("--times", type=int, default=60)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, home=Path(folder), database_url=given.postgresql)
        engine = make_engine(settings.database_url)
        upgrade(engine)
        began = time.perf_counter()
        run_ids = [fill(engine, Path(folder), seed, given.steps) for seed in range(given.runs)]
        took = time.perf_counter() - began
        points = given.runs * given.steps * (len(KEYS) + 1)
        print(f"{engine.dialect.name}: {points:,} points ingested in {took:.0f} s, {points / took:,.0f}/s")
        with TestClient(create_app(settings), base_url="http://localhost") as client:
            client.headers["Authorization"] = f"Bearer {(settings.home / 'admin-key').read_text().strip()}"
            report(client, run_ids, given)
        engine.dispose()


def report(client: TestClient, run_ids: list[str], given: argparse.Namespace) -> None:
    steps = given.steps
    for name, body in (
        ("whole, 1000 buckets", {"points": 1000}),
        ("a third, 1000 buckets", {"points": 1000, "from_step": steps // 3, "to_step": 2 * steps // 3}),
        ("7,900 steps, 1000 buckets", {"points": 1000, "from_step": 1111, "to_step": 9010}),
        ("whole, 200 buckets", {"points": 200}),
    ):
        question = {"run_ids": run_ids, "keys": [KEYS[0]], **body}

        def ask(question: dict[str, object] = question) -> None:
            answer = client.post("/api/v1/series:query", json=question)
            assert answer.status_code == 200, answer.text

        times = measure(ask, given.times)
        widths, rollups.WIDTHS = rollups.WIDTHS, (1 << 60,)
        without = measure(ask, max(2, given.times // 10)) if name.startswith("whole, 1000") else None
        rollups.WIDTHS = widths
        ratio = f"; {median(without) / median(times):.1f}× faster than from points alone" if without else ""
        print(f"  {name:28} median {median(times):6.1f} ms  p95 {quantiles(times, n=20)[-1]:6.1f} ms{ratio}")
    times = measure(lambda: client.get(f"/api/v1/runs/{run_ids[0]}/series"), given.times)
    print(f"  {'catalogue of one run':28} median {median(times):6.1f} ms  p95 {quantiles(times, n=20)[-1]:6.1f} ms")


def measure(ask: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each of so many calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        found.append(1000 * (time.perf_counter() - began))
    return found


def fill(engine: Engine, home: Path, seed: int, steps: int) -> str:
    """A run of so many steps, read from its events file as the service does it."""
    with writing(engine) as session:
        run_id = create_run(session, parse_spec(SPEC), "bench").id
    with writing(engine) as session:
        lease = leases.claim(session, run_id, Worker("bench", "bench", 0), 3600)
    assert lease is not None
    run_dir = home / "runs" / run_id
    run_dir.mkdir(parents=True)
    dice = random.Random(seed)
    with (run_dir / EVENTS_FILE).open("w") as file:
        said = {"type": "attempt_started", "attempt": 1, "resumed_from_step": 0, "total_steps": steps, "pid": 1}
        file.write(json.dumps(said) + "\n")
        for step in range(1, steps + 1):
            metrics = {key: dice.random() for key in KEYS}
            file.write(json.dumps({"type": "step", "step": step, "seconds": 1.0, "metrics": metrics}) + "\n")
    ingest(engine, lease, run_dir)
    return run_id


if __name__ == "__main__":
    main()
