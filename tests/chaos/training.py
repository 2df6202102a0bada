"""The training process of a run under chaos. A run named "real" is one of the small world, with torch; any other is
this script: the same contract and a step of `pace` seconds, whose weights are a chain of digests, so that a step left
out, doubled or taken from the wrong checkpoint gives other weights in the end.
"""

import hashlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from trapo_core.events import AttemptStarted, CheckpointSaved, Ended, EventWriter, StepDone

SAVE_EVERY = 10


def one_step(weights: str, step: int) -> str:
    return hashlib.sha256(f"{weights} {step}".encode()).hexdigest()


def weights_undisturbed(steps: int) -> str:
    weights = ""
    for step in range(1, steps + 1):
        weights = one_step(weights, step)
    return weights


def main() -> int:
    run_dir, attempt = Path(sys.argv[1]), int(sys.argv[3])
    spec = json.loads((run_dir / "spec.json").read_text())
    if spec["name"] == "real":
        os.execv(sys.executable, [sys.executable, "-m", "trapo_core", *sys.argv[1:]])
    return train(run_dir, attempt, spec["steps"], pace=float(spec["name"].removeprefix("pace ")))


def train(run_dir: Path, attempt: int, steps: int, pace: float) -> int:
    stop = stop_event()
    folder = run_dir / "checkpoints"
    folder.mkdir(exist_ok=True)
    first = max((int(path.name) for path in folder.iterdir()), default=0)
    weights = (folder / f"{first:06d}").read_text() if first else ""
    tell = EventWriter(run_dir)
    tell(AttemptStarted(attempt=attempt, resumed_from_step=first, total_steps=steps, pid=os.getpid()))
    for step in range(first + 1, steps + 1):
        time.sleep(pace)
        weights = one_step(weights, step)
        tell(StepDone(step=step, seconds=pace, metrics={"reward/unguided": float(step), "guided/share": 1 / attempt}))
        if step % SAVE_EVERY == 0 or step == steps or stop.is_set():
            save(run_dir, step, weights)
            tell(CheckpointSaved(step=step, path=f"checkpoints/{step:06d}", bytes=len(weights), sha256=weights))
        if stop.is_set() and step < steps:
            tell(Ended(outcome="stopped", step=step))
            return 0
    tell(Ended(outcome="succeeded", step=steps))
    return 0


def stop_event() -> threading.Event:
    """Set by SIGTERM, or when the supervisor is gone."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if os.environ.get("TRAPO_STOP_ON_STDIN_EOF") == "1":
        threading.Thread(target=lambda: (os.read(0, 1), stop.set()), daemon=True).start()
    return stop


def save(run_dir: Path, step: int, weights: str) -> None:
    temporary = run_dir / ".saving"
    temporary.write_text(weights)
    temporary.replace(run_dir / "checkpoints" / f"{step:06d}")


if __name__ == "__main__":
    sys.exit(main())
