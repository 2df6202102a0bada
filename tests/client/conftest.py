"""What the client's tests share: a home of their own, and a training process that does as it is told."""

import sys
from pathlib import Path

import pytest

SCRIPTED = '''
"""Usage: scripted.py SCENARIO RUN_DIR. Speaks as a training process does."""
import os, signal, sys, time
from pathlib import Path
from trapo_core.events import AttemptStarted, BenchmarkScore, CheckpointSaved, Ended, EventWriter
from trapo_core.events import Message, Progress, StepDone

scenario, run_dir = sys.argv[1], Path(sys.argv[2])
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
tell = EventWriter(run_dir)
steps = 20

def step(number):
    metrics = {"reward/unguided": number / steps, "guided/share": 1 - number / steps}
    tell(StepDone(step=number, seconds=0.1, metrics=metrics))

def save(number):
    folder = run_dir / "checkpoints" / f"step-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    tell(CheckpointSaved(step=number, path=f"checkpoints/{folder.name}", bytes=1, sha256="0" * 64))

if scenario == "refuse":
    tell(Ended(outcome="failed", step=0, reason="dataset_not_found", message="gsm8k/nowhere.jsonl is not there."))
    sys.exit(1)

saved = [int(path.name.split("-")[1]) for path in run_dir.glob("checkpoints/*")]
first = max(saved, default=0)
tell(AttemptStarted(attempt=1, resumed_from_step=first, total_steps=steps, pid=os.getpid()))
if scenario == "crash":
    print("Traceback: the disk is full", file=sys.stderr)
    sys.exit(7)
tell(Progress(stage="base model", done=1, total=2))
tell(Message(level="warning", text="three problems were dropped"))
for number in range(first + 1, steps + 1):
    step(number)
    if scenario == "slow":
        time.sleep(0.2)
    while scenario == "wait" and number == 5 and not stop:
        time.sleep(0.01)
    if stop:
        save(number)
        tell(Ended(outcome="stopped", step=number))
        sys.exit(0)
save(steps)
tell(BenchmarkScore(step=steps, benchmark="chains", metric="avg@4", score=0.75, low=0.7, high=0.8, confidence=0.95,
                    interval="wilson", problems=100, samples=4))
tell(Ended(outcome="succeeded", step=steps))
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads the home, service or key of whoever runs it."""
    for name in ("TRAPO_URL", "TRAPO_API_KEY", "TRAPO_REDIS_URL", "TRAPO_MODELS_DIR", "TRAPO_DATA_DIR", "TRAPO_PORT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TRAPO_HOME", str(folder))
    return folder


@pytest.fixture
def scripted(tmp_path: Path) -> list[str]:
    """A command that takes a scenario and a run folder."""
    script = tmp_path / "scripted.py"
    script.write_text(SCRIPTED)
    return [sys.executable, str(script)]
