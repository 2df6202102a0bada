"""recipes/gsm8k-tiny.yaml, shortened: real problems, real solutions, real benchmark files through the whole loop."""

import os
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from trapo_core.events import EventWriter
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.train import train

from .conftest import events_of

ROOT = Path(__file__).parents[2]
DATA_DIR = Path(os.environ.get("TRAPO_DATA_DIR", ROOT.parent / "shared" / "data"))
SHORTER: dict[str, Any] = {
    "steps": 6,
    "prompts_per_step": 4,
    "sampling": {"max_tokens": 160},
    "resources": {"gpus": 0, "cpu_threads": 1},
}

pytestmark = pytest.mark.skipif(not DATA_DIR.is_dir(), reason=f"no data at {DATA_DIR}; set TRAPO_DATA_DIR")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = yaml.safe_load((ROOT / "recipes" / "gsm8k-tiny.yaml").read_text())
    recipe["data"]["limit"] = 300
    for benchmark in recipe["evaluation"]["benchmarks"]:
        benchmark["data"]["limit"], benchmark["max_tokens"] = 5, 40
    spec = parse_spec(recipe | SHORTER)
    assert isinstance(spec, TrainSpec)
    folder = tmp_path_factory.mktemp("gsm8k")
    writer = EventWriter(folder)
    train(spec, folder, Places(DATA_DIR, folder / "models"), Attempt(writer))
    writer.close()
    return folder


def test_the_loss_on_expert_tokens_falls(run_dir: Path) -> None:
    steps = [event.metrics for event in events_of(run_dir, "step")]
    for key in ("expert/nll", "expert/loss"):
        assert fmean(metrics[key] for metrics in steps[-2:]) < fmean(metrics[key] for metrics in steps[:2])
    assert steps[-1]["expert/p_mean"] > steps[0]["expert/p_mean"]


def test_whole_solutions_are_found_right_and_earn_reward(run_dir: Path) -> None:
    rows = [row for event in events_of(run_dir, "rollouts") for row in pq.read_table(run_dir / event.path).to_pylist()]
    whole = [row for row in rows if row["finish"] == "expert" and row["prefix"].endswith("<|endoftext|>")]
    assert len(whole) > 10
    assert {row["outcome"] for row in whole} == {"right"}
    assert all("\\boxed{" + row["answer"] + "}" in row["prefix"] for row in whole)
    assert {row["outcome"] for row in rows} <= {"right", "wrong"}


def test_prefixes_grow_with_their_level_and_the_picture_holds_every_sample(run_dir: Path) -> None:
    rows = [row for event in events_of(run_dir, "rollouts") for row in pq.read_table(run_dir / event.path).to_pylist()]
    means = {slot: fmean(row["prefix_tokens"] for row in rows if row["slot"] == slot) for slot in range(4)}
    assert means[0] == 0 < means[1] < means[2] < means[3]
    for event in events_of(run_dir, "guidance"):
        assert sum(event.prefix_lengths.counts) == 4 * 8


def test_real_benchmark_files_are_scored_with_intervals(run_dir: Path) -> None:
    scores = {(event.benchmark, event.metric): event for event in events_of(run_dir, "score")}
    assert set(scores) == {("math500", "avg@1"), ("aime24", "avg@4"), ("aime24", "pass@4")}
    for score in scores.values():
        assert score.problems == 5
        assert 0 <= score.low <= score.score <= score.high <= 1
