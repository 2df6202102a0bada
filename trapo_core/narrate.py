"""What a process prints of what it tells, for whoever follows its log. The events have all of it, and exactly."""

import sys
from contextlib import suppress

from trapo_core import events

SHOWN = {
    "reward/unguided": "reward", "guided/share": "guided", "policy/loss": "loss", "expert/loss": "expert loss",
    "policy/entropy": "entropy", "policy/grad_norm": "gradient", "throughput/tokens_per_s": "tokens/s",
}  # fmt: skip


def narrate(*told: events.Event) -> None:
    """To stdout, a line each, with the time in UTC. Where a log cannot be written the run goes on."""
    lines = [f"{event.ts:%Y-%m-%d %H:%M:%S} {text}\n" for event in told if (text := sentence(event))]
    with suppress(OSError):
        sys.stdout.write("".join(lines).encode(errors="replace").decode())
        sys.stdout.flush()


def sentence(event: events.Event) -> str:
    """Empty for what a reader of lines has no use for."""
    match event:
        case events.AttemptStarted():
            begin = f"from step {event.resumed_from_step}" if event.resumed_from_step >= 0 else "from the beginning"
            return f"attempt {event.attempt} {begin}; {', '.join(map(' '.join, event.versions.items()))}"
        case events.Progress() if event.done in (0, event.total):
            return f"{event.stage}: {event.done} of {event.total}"
        case events.StepDone():
            shown = [f"{name} {_short(event.metrics[key])}" for key, name in SHOWN.items() if key in event.metrics]
            return ", ".join([f"step {event.step}: {event.seconds:.2f} s", *shown])
        case events.StepSkipped():
            return f"step {event.step} skipped, {event.in_a_row} in a row: {event.message}"
        case events.CheckpointSaved():
            return f"checkpoint of step {event.step}: {event.path}, {event.bytes / 1e6:.1f} MB"
        case events.BenchmarkScore():
            interval = f"[{event.low:.3f}, {event.high:.3f}], n {event.problems} × k {event.samples}"
            return f"step {event.step}: {event.benchmark} {event.metric} {event.score:.3f} {interval}"
        case events.Message():
            return f"{event.level}: {event.text}"
        case events.Ended():
            why = ": ".join(filter(None, [event.reason, event.message]))
            return f"{event.outcome} at step {event.step}{f' ({why})' if why else ''}"
    return ""


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
