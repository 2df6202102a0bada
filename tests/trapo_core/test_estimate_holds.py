"""Real runs keep within the bounds that were told before them, and take about what was estimated."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from trapo_core.data import load_problems
from trapo_core.estimate import estimate
from trapo_core.events import CheckpointSaved, EventWriter, read_events
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.shapes import shape_of
from trapo_core.train import train

from .conftest import small_spec


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "trapo"},
        {"method": "chord_mu", "demonstrations": {"prompts_per_step": 3}},
        {"method": "grpo", "refill": {"max_extra_share": 2.0}},
        {"method": "hpt", "updates_per_batch": 2},
        {"method": "sft_then_rl", "warm_start": {"steps": 1, "prompts_per_step": 3}},
    ],
    ids=lambda changes: changes["method"],
)
def test_a_real_step_keeps_within_its_bounds(changes: dict[str, object], tmp_path: Path, models_dir: Path) -> None:
    spec = small_spec(steps=2, **changes)
    found = estimate(spec, shape_of(spec.model, models_dir))
    work = {step: s for stage, s in zip(spec.stages(), found.work.stages, strict=True)
            for step in range(stage.first_step + 1, stage.first_step + stage.steps + 1)}  # fmt: skip
    with closing(EventWriter(tmp_path)) as writer:
        train(spec, tmp_path, Places(Path("nowhere"), models_dir), Attempt(writer))
    prompts = {problem.prompt for problem in load_problems(spec.data, Path())}
    for step, stage in work.items():
        rows = pq.read_table(tmp_path / f"rollouts/step-{step:06d}.parquet").to_pylist()
        response = sum(len(row["token_ids"]) for row in rows)
        sampled = response - sum(row["prefix_tokens"] for row in rows)
        assert 0 <= sampled <= stage.sampled.at_most
        assert response + sum(len(row["prompt"]) for row in rows) <= stage.trained.at_most
        assert {row["prompt"] for row in rows} <= prompts
    [last] = [e for e in read_events(tmp_path) if isinstance(e, CheckpointSaved) and e.step == spec.total_steps]
    assert found.disk is not None
    assert last.bytes == pytest.approx(found.disk.checkpoint, rel=0.05)


def test_a_plan_is_made_without_torch() -> None:
    program = "import sys, client.plan_command, trapo_core.estimate; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
