"""What must hold of every run, whatever happened to it: pure functions of rows and files that say what is wrong."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runs.record.ingest import STEP_SECONDS
from trapo_core import events

Line = tuple[int, events.Event]  # where it begins in the file, and what it says
Point = tuple[str, int, int, float | None]  # key, segment, step, value; None if it is not finite


@dataclass(frozen=True)
class Attempt:
    number: int
    fence: int
    started_at: float
    ended_at: float | None


@dataclass(frozen=True)
class Facts:
    """One run after the storm. `told` are the rows of events that came from the file, `times` those of all events."""

    name: str
    state: str
    total_steps: int
    attempts: Sequence[Attempt]
    lines: Sequence[Line]
    told: Sequence[tuple[int, str]]
    times: Sequence[float]
    points: Sequence[Point]
    shown_steps: Sequence[int]
    weights: bytes
    weights_undisturbed: bytes


def violations(facts: Facts, bound_s: float) -> list[str]:
    """Every rule that the run breaks."""
    found = [
        *fences_overlap(facts.attempts),
        *descent_is_broken(facts.lines),
        *lines_and_rows_differ(facts.lines, facts.told),
        *points_differ(facts.lines, facts.points),
        *was_stuck(facts.times, bound_s),
    ]
    if facts.state != "succeeded":
        found.append(f"ended as {facts.state}")
    if list(facts.shown_steps) != list(range(1, facts.total_steps + 1)):
        found.append(f"the curve shows {len(facts.shown_steps)} steps of {facts.total_steps}")
    if facts.weights != facts.weights_undisturbed:
        found.append("the weights are not those of an undisturbed run")
    return [f"{facts.name}: {what}" for what in found]


def fences_overlap(attempts: Sequence[Attempt]) -> Iterator[str]:
    """A fence is valid from its attempt's claim to its end; the next must begin later and be higher."""
    for one, two in pairwise(sorted(attempts, key=lambda attempt: attempt.number)):
        if two.number != one.number + 1 or two.fence <= one.fence:
            yield f"attempt {two.number} (fence {two.fence}) follows attempt {one.number} (fence {one.fence})"
        if one.ended_at is None or two.started_at < one.ended_at:
            yield f"attempt {two.number} began before attempt {one.number} had ended"


def descent_is_broken(lines: Sequence[Line]) -> Iterator[str]:
    """Two processes that write into one file would show as steps out of turn, or as an older attempt that speaks."""
    attempt, step = 0, 0
    for _, event in lines:
        match event:
            case events.AttemptStarted():
                if event.attempt <= attempt:
                    yield f"attempt {event.attempt} speaks after attempt {attempt}"
                if event.resumed_from_step > step:
                    yield f"attempt {event.attempt} resumes from step {event.resumed_from_step}, which nobody told"
                attempt, step = event.attempt, max(0, event.resumed_from_step)
            case events.StepDone():
                if event.step != step + 1:
                    yield f"attempt {attempt} tells step {event.step} after step {step}"
                step = event.step


def lines_and_rows_differ(lines: Sequence[Line], told: Iterable[tuple[int, str]]) -> Iterator[str]:
    said = Counter((start, event.type) for start, event in lines)
    stored = Counter(told)
    yield from (f"no row for the {kind} at byte {start}" for start, kind in said - stored)
    yield from (f"a row too many for the {kind} at byte {start}" for start, kind in stored - said)


def points_differ(lines: Sequence[Line], points: Iterable[Point]) -> Iterator[str]:
    said, stored = Counter(points_of(lines)), Counter(points)
    yield from (f"point {point} is missing" for point in said - stored)
    yield from (f"point {point} is one too many" for point in stored - said)


def points_of(lines: Sequence[Line]) -> Iterator[Point]:
    """What the file says, each under the attempt that was speaking."""
    segment = 0
    for _, event in lines:
        if isinstance(event, events.AttemptStarted):
            segment = event.attempt
        if isinstance(event, events.StepDone):
            for key, value in {STEP_SECONDS: event.seconds, **event.metrics}.items():
                yield key, segment, event.step, value if math.isfinite(value) else None


def was_stuck(times: Sequence[float], bound_s: float) -> Iterator[str]:
    for before, after in pairwise(sorted(times)):
        if after - before > bound_s:
            yield f"nothing happened for {after - before:.0f} s"
