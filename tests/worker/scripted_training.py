"""A real training process whose life is written in its spec's name, such as "steps=20 pace=0.02 kill_at=7".

It keeps the contract of `python -m trapo_core RUN_DIR --attempt N` (events, checkpoints, SIGTERM, end of stdin) without
torch, so that hundreds of lives can be tried in seconds. A step's reward is its number, so a reader can check history.

    steps=N        how many                          pace=S         seconds per step
    save_every=N   checkpoint every N steps          score=B        a benchmark score at the end
    kill_at=N      SIGKILL itself at step N, first attempt only     (kill_always=N: in every attempt)
    fail_at=N      say `ended failed` with reason=R                 exit_at=N: exit code 3 without a word
    full_at=N      no space left on the disk at step N
    deaf=1         ignore SIGTERM                    tail_at=N      write half a line and die, first attempt only
"""

import errno
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from trapo_core.events import (
    AttemptStarted,
    BenchmarkScore,
    CheckpointSaved,
    Ended,
    EventWriter,
    GuidanceDone,
    PrefixLengths,
    SlotOutcome,
    StepDone,
)  # fmt: skip


def main() -> int:  # noqa: C901 - one life, read from top to bottom
    run_dir, attempt = Path(sys.argv[1]), int(sys.argv[3])
    spec = json.loads((run_dir / "spec.json").read_text())
    script = dict(word.split("=") for word in spec["name"].split() if "=" in word)
    steps, pace = int(script.get("steps", 5)), float(script.get("pace", 0.0))
    stop = threading.Event()
    if "deaf" in script:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        if os.environ.get("TRAPO_STOP_ON_STDIN_EOF") == "1":
            threading.Thread(target=lambda: (os.read(0, 1), stop.set()), daemon=True).start()
    (run_dir / "checkpoints").mkdir(exist_ok=True)
    saved = sorted(int(path.name) for path in (run_dir / "checkpoints").iterdir())
    first = saved[-1] if saved else 0
    tell = EventWriter(run_dir)
    tell(AttemptStarted(attempt=attempt, resumed_from_step=first, total_steps=steps, pid=os.getpid()))
    sys.stderr.write(f"attempt {attempt} from step {first}\n")

    def save(step: int) -> None:
        (run_dir / "checkpoints" / f"{step:06d}").touch()
        tell(CheckpointSaved(step=step, path=f"checkpoints/{step:06d}", bytes=0, sha256="0" * 64))

    def at(word: str, step: int) -> bool:
        return int(script.get(word, -1)) == step

    for step in range(first + 1, steps + 1):
        time.sleep(pace)
        if (at("kill_at", step) and attempt == 1) or at("kill_always", step):
            os.kill(os.getpid(), signal.SIGKILL)
        if at("tail_at", step) and attempt == 1:
            with (run_dir / "events.jsonl").open("ab") as file:
                file.write(b'{"type": "step", "st')
            os.kill(os.getpid(), signal.SIGKILL)
        if at("exit_at", step):
            sys.stderr.write("the last word\n")
            return 3
        if at("full_at", step):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")
        if at("fail_at", step):
            tell(Ended(outcome="failed", step=step - 1, reason=script["reason"], message="as scripted"))
            return 1
        tell(StepDone(step=step, seconds=pace, metrics={"reward/unguided": float(step), "guided/share": 1 / attempt}))
        slot = SlotOutcome(slot=0, ratio=0.2, guided=step, guided_reward=1.0, unguided=0, unguided_reward=0.0)
        tell(GuidanceDone(step=step, slots=(slot,), prefix_lengths=PrefixLengths(bin_tokens=8, counts=(1, step))))
        if step % int(script.get("save_every", 5)) == 0:
            save(step)
        if stop.is_set():
            save(step)
            tell(Ended(outcome="stopped", step=step))
            return 0
    if "score" in script:
        tell(
            BenchmarkScore(
                step=steps, benchmark=script["score"], metric="avg@1", score=0.5, low=0.4, high=0.6, confidence=0.95,
                interval="wilson", problems=10, samples=1,
            )
        )  # fmt: skip
    tell(Ended(outcome="succeeded", step=steps))
    return 0


if __name__ == "__main__":
    sys.exit(main())
