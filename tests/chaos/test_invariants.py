"""The rules find what they are for: each of these histories is wrong in one way."""

from dataclasses import replace

import pytest

from tests.chaos.invariants import Attempt, Facts, points_of, violations
from trapo_core.events import AttemptStarted, CheckpointSaved, Ended, StepDone

SAVED = CheckpointSaved(step=2, path="checkpoints/000002", bytes=0, sha256="0" * 64)


def started(attempt, resumed_from):
    return AttemptStarted(attempt=attempt, resumed_from_step=resumed_from, total_steps=4, pid=1)


def step(number):
    return StepDone(step=number, seconds=0.1, metrics={"reward/unguided": float(number)})


def history(*events):
    return [(100 * index, event) for index, event in enumerate(events)]


LINES = history(started(1, 0), step(1), step(2), SAVED, step(3), started(2, 2), step(3), step(4),
                Ended(outcome="succeeded", step=4))  # fmt: skip
GOOD = Facts(
    name="run",
    state="succeeded",
    total_steps=4,
    attempts=[Attempt(1, 1, 10.0, 20.0), Attempt(2, 2, 20.5, 30.0)],
    lines=LINES,
    told=[(start, event.type) for start, event in LINES],
    times=[10.0, 15.0, 20.0, 30.0],
    points=list(points_of(LINES)),
    shown_steps=[1, 2, 3, 4],
    weights=b"end",
    weights_undisturbed=b"end",
)


def rewritten(*events):
    lines = history(*events)
    return {"lines": lines, "told": [(start, event.type) for start, event in lines], "points": list(points_of(lines))}


def test_a_run_that_was_killed_and_resumed_is_in_order():
    assert violations(GOOD, bound_s=90) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"state": "failed"}, "ended as failed"),
        ({"attempts": [Attempt(1, 1, 10.0, 20.0), Attempt(2, 2, 19.0, 30.0)]}, "began before attempt 1 had ended"),
        ({"attempts": [Attempt(1, 1, 10.0, None), Attempt(2, 2, 20.5, 30.0)]}, "began before attempt 1 had ended"),
        ({"attempts": [Attempt(1, 1, 10.0, 20.0), Attempt(2, 1, 20.5, 30.0)]}, "(fence 1) follows"),
        (rewritten(started(1, 0), step(1), step(3)), "tells step 3 after step 1"),
        (rewritten(started(1, 0), step(1), started(2, 0), step(1), step(2), step(2)), "tells step 2 after step 2"),
        (rewritten(started(2, 0), step(1), started(1, 0)), "attempt 1 speaks after attempt 2"),
        (rewritten(started(1, 0), started(2, 2)), "resumes from step 2, which nobody told"),
        ({"told": GOOD.told[:-1]}, "no row for the ended at byte 800"),
        ({"told": [*GOOD.told, GOOD.told[0]]}, "a row too many for the attempt_started at byte 0"),
        ({"points": GOOD.points[1:]}, "is missing"),
        ({"points": [*GOOD.points, GOOD.points[0]]}, "is one too many"),
        ({"times": [10.0, 101.0]}, "nothing happened for 91 s"),
        ({"shown_steps": [1, 2, 4]}, "the curve shows 3 steps of 4"),
        ({"weights": b"other"}, "the weights are not those"),
    ],
)
def test_what_is_wrong_is_said(wrong, said):
    assert any(said in what for what in violations(replace(GOOD, **wrong), bound_s=90))
