"""A run of the service as files, through the real api."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from client import Client
from runs.life.leases import Lease
from runs.record.ingest import ingest
from runs.settings import Settings
from trapo_core.events import (
    AttemptStarted,
    BenchmarkScore,
    Ended,
    EventWriter,
    GuidanceDone,
    PrefixLengths,
    SlotOutcome,
    StepDone,
)

Trapo = Callable[..., Any]
VALUES = [0.1, 2.5, math.nan, math.inf, -math.inf]
SCORE = {"score": 0.5, "low": 0.4, "high": 0.6, "confidence": 0.95, "interval": "wilson", "problems": 9, "samples": 4}


@pytest.fixture
def resumed(
    run: str, engine: Any, settings: Settings, attempt: Callable[[str], tuple[Lease, Path]], finish: Callable[..., None]
) -> str:
    """A run whose second attempt went back to step 2."""
    lease, _ = attempt(run)
    tell = EventWriter(settings.run_dir(run))
    tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=5, pid=1))
    for step in range(1, 5):
        tell(StepDone(step=step, seconds=0.5, metrics={"loss": VALUES[step - 1] if step < 3 else 77.0}))
    tell(AttemptStarted(attempt=2, resumed_from_step=2, total_steps=5, pid=1))
    for step in range(3, 6):
        tell(StepDone(step=step, seconds=0.5, metrics={"loss": VALUES[step - 1]}))
        slot = SlotOutcome(slot=1, ratio=0.25, guided=2, guided_reward=1.0, unguided=2, unguided_reward=0.5)
        lengths = PrefixLengths(bin_tokens=8, counts=[2, 1, 1])
        tell(GuidanceDone(step=step, slots=[slot], prefix_lengths=lengths))
    tell(BenchmarkScore(step=5, benchmark="chains", metric="avg@4", **SCORE))
    tell(Ended(outcome="succeeded", step=5))
    tell.close()
    ingest(engine, lease, settings.run_dir(run))
    finish(lease, None)
    return run


def test_csv_has_every_point_that_counts_and_what_is_not_finite(trapo: Trapo, resumed: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert trapo("export", resumed, "--format", "csv", "--out", out, "--json").json == {"folder": str(out), "url": None}
    rows = list(csv.DictReader((out / "points.csv").open()))
    assert [row["value"] for row in rows if row["key"] == "loss"] == ["0.1", "2.5", "NaN", "Infinity", "-Infinity"]
    [score] = csv.DictReader((out / "scores.csv").open())
    assert (score["low"], score["high"], score["interval"]) == ("0.4", "0.6", "wilson")
    guidance = list(csv.DictReader((out / "guidance.csv").open()))
    assert [(row["step"], row["slot"], row["guided_reward"]) for row in guidance] == [
        (str(n), "1", "1.0") for n in (3, 4, 5)
    ]
    assert [row["count"] for row in csv.DictReader((out / "prefix_lengths.csv").open())][:3] == ["2", "1", "1"]
    assert json.loads((out / "spec.json").read_text())["steps"] == 10


def test_the_events_are_those_that_the_process_wrote(
    trapo: Trapo, resumed: str, settings: Settings, tmp_path: Path
) -> None:
    trapo("export", resumed, "--format", "csv", "--out", tmp_path / "out")
    told = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    lines = [json.loads(line) for line in (settings.run_dir(resumed) / "events.jsonl").read_text().splitlines()]
    assert [{**event, "ts": None} for event in told] == [{**line, "ts": None} for line in lines]
    history = [json.loads(line)["type"] for line in (tmp_path / "out" / "history.jsonl").read_text().splitlines()]
    assert history[0] == "run_created"
    assert set(history) == {"run_created", "run_state"}


def test_parquet_has_the_same_points(trapo: Trapo, resumed: str, tmp_path: Path, client: Client) -> None:
    trapo("export", resumed, "--out", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "points.parquet").to_pylist()
    values = [row["value"] for row in rows if row["key"] == "loss"]
    assert str(values) == str(VALUES)  # as text, because NaN is not itself
    [points] = client.points(resumed, ["loss"])
    assert (points.steps, str(points.values)) == ([1, 2, 3, 4, 5], str(VALUES))
    assert pq.read_table(tmp_path / "out" / "scores.parquet").to_pylist()[0]["samples"] == 4


def test_tensorboard_reads_the_same_points(trapo: Trapo, resumed: str, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    trapo("export", resumed, "--format", "tensorboard", "--out", tmp_path / "out")
    read = accumulator.EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    read.Reload()
    found = read.Scalars("loss")
    assert [event.step for event in found] == [1, 2, 3, 4, 5]
    assert str([round(event.value, 6) for event in found]) == str(VALUES)
    assert "score/chains/avg@4/low" in read.Tags()["scalars"]


def test_nothing_half_made_stays_and_nothing_is_overwritten(trapo: Trapo, resumed: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    said = trapo("export", resumed, "--out", tmp_path / "there")
    assert (said.status, "exists. Give another --out." in said.err) == (2, True)
    assert trapo("export", "run_none", "--out", tmp_path / "new" / "out").status == 1
    assert not list((tmp_path / "new").glob("*")) if (tmp_path / "new").exists() else True
