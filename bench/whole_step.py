"""One TRAPO step from process start, and what checking answers takes of a step: `python -m bench.whole_step [ROUNDS]`.

Runs `trapo run` as anybody would: the small world with one step, then GSM8K with a tiny model and twelve, whose answers
are checked by math-verify (needs the data folder). Prints median (least–most).
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from trapo_core.events import read_events

TRAPO = Path(sys.executable).with_name("trapo")
STEPS = 12
WARM_UP = 2  # the first steps start the checking process


def main(rounds: int) -> None:
    seconds, shares = [], []
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(rounds):
            began = time.monotonic()
            run("recipes/methods/trapo.yaml", Path(folder) / f"one-{round_}", steps=1)
            seconds.append(time.monotonic() - began)
        run("recipes/gsm8k-tiny.yaml", Path(folder) / "gsm8k", steps=STEPS)
        told = [event for event in read_events(Path(folder) / "gsm8k") if event.type == "step"]
        shares = [event.metrics["time/reward_s"] / event.seconds for event in told[WARM_UP:]]
    print(f"process start to the end of a run of one step: {spread(seconds)} s, {rounds} rounds")
    print(f"waiting for answers to be checked: {spread([100 * share for share in shares])} % of {len(shares)} steps")


def run(recipe: str, run_dir: Path, *, steps: int) -> None:
    settings = ["--set", f"steps={steps}", "--set", "evaluation.benchmarks=[]"]
    subprocess.run([TRAPO, "run", recipe, "--run-dir", run_dir, *settings], check=True, capture_output=True)


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
