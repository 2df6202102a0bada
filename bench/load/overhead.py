"""What the service costs a training: the same run by `trapo run` alone and under the service, in turns (ABBA)."""

import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.load.figures import Figure, spread
from bench.load.service import TRAPO, inherited, serving, wait_until
from trapo_core.events import StepDone, read_events

ROUNDS, STEPS = 3, 60
WARM_UP = 10  # steps that do not count: caches, the first checkpoint, the process that checks answers
TRAINING: dict[str, Any] = {
    "method": "trapo", "model": {"source": "small_world", "steps": 60}, "prompts_per_step": 16,
    "data": {"format": "small_world", "problems": 256, "min_ops": 2, "max_ops": 4}, "sampling": {"max_tokens": 40},
}  # fmt: skip


def measure(database: str, rounds: int = ROUNDS, steps: int = STEPS) -> list[Figure]:
    """With one thread, as runs side by side have it, and with a thread a core, so that all else takes from it."""
    with tempfile.TemporaryDirectory() as models:  # the base is made once
        return [_ratio(database, Path(models), rounds, steps, threads) for threads in (1, 2)]


def _ratio(database: str, models: Path, rounds: int, steps: int, threads: int) -> Figure:
    spec = {**TRAINING, "steps": steps, "resources": {"gpus": 0, "cpu_threads": threads}}
    ratios = []
    for _ in range(rounds):
        alone, served = _alone(models, spec), _served(database, models, spec)
        served_too, alone_too = _served(database, models, spec), _alone(models, spec)
        ratios += [served / alone, served_too / alone_too]
    what = f"step under the service ÷ by `trapo run`, {threads} thread{'s' * (threads > 1)}, {2 * rounds} pairs"
    return Figure(what, spread(ratios, 3), "≤ 1.03", median(ratios) <= 1.03)


def _alone(models: Path, spec: dict[str, Any]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.json"
        file.write_text(json.dumps(spec))
        environment = {**inherited(), "TRAPO_HOME": folder, "TRAPO_MODELS_DIR": str(models)}
        command = [TRAPO, "run", file, "--run-dir", Path(folder) / "run"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return step_time(Path(folder) / "run")


def _served(database: str, models: Path, spec: dict[str, Any]) -> float:
    with serving(database, scripted=False, models=models) as service, service.client() as client:
        run_id = client.submit(spec).id
        wait_until(lambda: client.get(run_id).state in ("succeeded", "failed"), 1800)
        return step_time(service.home / "runs" / run_id)


def step_time(run_dir: Path) -> float:
    """Median seconds of a step."""
    told = [event.seconds for event in read_events(run_dir) if isinstance(event, StepDone)]
    return median(told[WARM_UP:] or told)
