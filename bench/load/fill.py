"""Databases with much in them, made as the service makes them."""

import json
import random
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from bench.load.service import SPEC
from runs.db import writing
from runs.life import leases
from runs.life.leases import Worker
from runs.life.store import create_run
from runs.record.ingest import ingest
from runs.tables import RunRow
from trapo_core.events import EVENTS_FILE
from trapo_core.methods import METHODS
from trapo_core.spec import parse_spec

KEYS = ("reward/unguided", "policy/entropy")


def long_run(engine: Engine, home: Path, seed: int, steps: int) -> str:
    """A run of so many steps, read from its events file; its id."""
    with writing(engine) as session:
        run_id = create_run(session, parse_spec(SPEC), "bench").id
    with writing(engine) as session:
        lease = leases.claim(session, run_id, Worker("bench", "bench", 0), 36_000)
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


def many_runs(engine: Engine, count: int) -> None:
    """Ended runs with specs and summaries as they are."""
    dice = random.Random(0)
    states = ["succeeded"] * 70 + ["failed"] * 20 + ["cancelled"] * 9 + ["paused"]
    with writing(engine) as session:
        template = create_run(session, parse_spec(SPEC), "bench")
        template.state = "paused"
        session.flush()
        values = {column.key: getattr(template, column.key) for column in RunRow.__table__.columns}
        sparkline = [round(dice.random(), 4) for _ in range(40)]
        for number in range(count - 1):
            reward, score = dice.random(), dice.random()
            summary = {"reward_unguided": reward, "guided_share": 0.5, "score": score, "sparkline": sparkline}
            row: dict[str, Any] = {
                "id": f"run_{number:026d}", "name": f"number {number} of a sweep", "state": dice.choice(states),
                "method": dice.choice(list(METHODS)), "tags": ["a", f"seed-{number % 10}"],
                "reward": reward, "score": score, "summary": summary,
            }  # fmt: skip
            session.add(RunRow(**values | row))
