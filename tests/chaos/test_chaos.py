"""Random faults over a running service, and what must hold during and after them. `make chaos` has the long form, with
trainings of the small world among the runs, on both databases; CHAOS_FAULTS and CHAOS_SEED choose another storm."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.chaos.faults import program
from tests.chaos.invariants import violations
from tests.chaos.parts import ROOT, Service, make_service, remove_postgres
from tests.chaos.storm import Storm, gather, report
from tests.chaos.training import weights_undisturbed
from trapo_core.spec import parse_spec

pytestmark = pytest.mark.service

LONG = int(os.environ.get("CHAOS_FAULTS", "0"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
BOUND_S = 90.0
DISK = "192m"
REAL_STEPS = 30
SCRIPTED = {
    "name": "pace 0.05", "model": {"source": "small_world"}, "data": {"format": "small_world"},
    "prompts_per_step": 2, "sampling": {"max_tokens": 20}, "resources": {"gpus": 0},
}  # fmt: skip
REAL = {
    "name": "real", "method": "trapo", "model": {"source": "small_world", "steps": 60},
    "data": {"format": "small_world", "problems": 64, "min_ops": 1, "max_ops": 3}, "steps": REAL_STEPS,
    "prompts_per_step": 8, "sampling": {"max_tokens": 20}, "optimizer": {"lr": 1e-3},
    "checkpoints": {"every_steps": 2}, "resources": {"gpus": 0, "cpu_threads": 1},
}  # fmt: skip


def test_eight_faults_cost_nothing_but_seconds() -> None:
    specs = [{**SCRIPTED, "steps": 150}] * 100
    with serving("sqlite", lease_s=4, own_disk=False) as service:
        weather(service, "sqlite", specs, faults=9, at_once=2, long=False)


@pytest.mark.skipif(not LONG, reason="long; `make chaos` runs it")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_storm_costs_nothing_but_seconds(database: str) -> None:
    specs = [REAL, *[{**SCRIPTED, "steps": 400}] * 3] * 100
    with serving(database, lease_s=6, own_disk=True) as service:
        weather(service, database, specs, LONG, at_once=3, long=True)


def weather(
    service: Service, database: str, specs: list[dict[str, Any]], faults: int, at_once: int, long: bool
) -> None:
    service.start()
    storm = Storm(service, specs, at_once, BOUND_S, sys.stdout)
    storm.live_through(program(SEED, faults, database, long), Random(SEED))
    found = list(storm.wrong)
    rows = [
        gather(service, run_id, weights(service, run_id, spec["steps"]), undisturbed(service, spec))
        for run_id, spec in zip(storm.submitted, specs, strict=False)
    ]
    found += [what for facts in rows for what in violations(facts, BOUND_S)]
    text = report(database, SEED, storm.struck, sum(len(facts.attempts) for facts in rows), len(rows))
    sys.stdout.write(f"\n{text}\n")
    if long:
        folder = ROOT / "runs-local" / "chaos"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{database}-{SEED}.txt").write_text("\n".join([text, "", *(found or ["Nothing is wrong."])]) + "\n")
    assert not found


def weights(service: Service, run_id: str, steps: int) -> bytes:
    folder = service.settings.run_dir(run_id) / "checkpoints"
    scripted = folder / f"{steps:06d}"
    path = scripted if scripted.exists() else folder / f"step-{steps:06d}" / "model.safetensors"
    return path.read_bytes() if path.exists() else b""


def undisturbed(service: Service, spec: dict[str, Any]) -> bytes:
    """The end of the same spec in one process of its own, never struck."""
    if spec["name"] != "real":
        return weights_undisturbed(spec["steps"]).encode()
    folder = service.settings.run_dir("undisturbed")
    if folder.exists():
        return weights(service, "undisturbed", spec["steps"])
    folder.mkdir()
    (folder / "spec.json").write_text(parse_spec(spec).model_dump_json())
    environment = {**os.environ, "TRAPO_MODELS_DIR": str(service.settings.models_root)}
    subprocess.run([sys.executable, "-m", "trapo_core", folder], env=environment, check=True, timeout=600)
    return weights(service, "undisturbed", spec["steps"])


@contextmanager
def serving(database: str, lease_s: float, own_disk: bool) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="trapo-chaos-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        mounted = own_disk and mount(home)
        service = make_service(home, database, lease_s)
        try:
            yield service
        finally:
            service.stop()
            remove_postgres(service)
            show_logs(home)
            if mounted:
                subprocess.run(["umount", "--lazy", home], check=True)


def mount(home: Path) -> bool:
    """A small disk of its own for the home, to be filled; only root may, and not in every container."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(home)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def show_logs(home: Path) -> None:
    """Shown by pytest if the test fails."""
    for log in sorted(home.glob("*.log")):
        sys.stderr.write(f"--- {log.name}\n{log.read_text(errors='replace')[-20_000:]}\n")
