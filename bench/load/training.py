"""A training process that only talks: as the run's name says, `rate=80 metrics=24` writes so many steps a second, each
with so many values, to the last step of the spec. Its values are its step numbers, so that a reader can check them."""

import json
import signal
import sys
import time
from pathlib import Path
from threading import Event

from trapo_core.events import AttemptStarted, Ended, EventWriter, GuidanceDone, PrefixLengths, SlotOutcome, StepDone

TICK_S = 0.05
GUIDANCE_EVERY = 10


def metrics_of(step: int, count: int) -> dict[str, float]:
    return {"reward/unguided": float(step)} | {f"metric/{number:02}": step + number / 100 for number in range(1, count)}


def main() -> int:
    run_dir, attempt = Path(sys.argv[1]), int(sys.argv[3])
    spec = json.loads((run_dir / "spec.json").read_text())
    asked = {key: float(value) for key, _, value in (word.partition("=") for word in spec["name"].split()) if value}
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    tell = EventWriter(run_dir)
    tell(AttemptStarted(attempt=attempt, resumed_from_step=0, total_steps=spec["steps"], pid=0))
    step = speak(tell, stop, spec["steps"], asked.get("rate", 1.0), int(asked.get("metrics", 24)))
    tell(Ended(outcome="succeeded" if step == spec["steps"] else "stopped", step=step))
    return 0


def speak(tell: EventWriter, stop: Event, steps: int, rate: float, count: int) -> int:
    """The last step told. What is due by the clock is written at once, however late we are."""
    step, began = 0, time.monotonic()
    while step < steps and not stop.is_set():
        due = min(steps, int((time.monotonic() - began) * rate))
        while step < due:
            step += 1
            tell(StepDone(step=step, seconds=1 / rate, metrics=metrics_of(step, count)))
            if step % GUIDANCE_EVERY == 0:
                tell(guidance_of(step))
        stop.wait(TICK_S)
    return step


def guidance_of(step: int) -> GuidanceDone:
    slots = [
        SlotOutcome(slot=slot, ratio=slot / 8, guided=8, guided_reward=4.0, unguided=8, unguided_reward=2.0)
        for slot in range(8)
    ]
    return GuidanceDone(step=step, slots=slots, prefix_lengths=PrefixLengths(bin_tokens=8, counts=[9] * 12))


if __name__ == "__main__":
    sys.exit(main())
