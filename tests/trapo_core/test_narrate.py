"""The lines of a process's log: what happened, in the order it was told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from trapo_core import events
from trapo_core.narrate import narrate, sentence

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_step_is_a_line_with_its_time_and_what_it_measured(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {
        "policy/loss": 0.25,
        "reward/unguided": 0.5,
        "throughput/tokens_per_s": 10_214.6,
        "policy/entropy": float("nan"),
    }
    narrate(events.StepDone(ts=AT, step=3, seconds=1.5, metrics=metrics))
    assert (
        capsys.readouterr().out
        == "2026-01-02 03:04:05 step 3: 1.50 s, reward 0.5, loss 0.25, entropy nan, tokens/s 10215\n"
    )


def test_events_that_are_told_together_are_lines_of_one_write(capsys: pytest.CaptureFixture[str]) -> None:
    rollouts = events.RolloutsWritten(ts=AT, step=1, path="rollouts/1", rows=8)
    narrate(rollouts, events.Message(ts=AT, level="warning", text="half a pair \ud800"), rollouts)
    assert capsys.readouterr().out == "2026-01-02 03:04:05 warning: half a pair ?\n"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            events.AttemptStarted(attempt=2, resumed_from_step=40, total_steps=100, pid=1, versions={"torch": "2.13"}),
            "attempt 2 from step 40; torch 2.13",
        ),
        (events.Progress(stage="evaluating", done=3, total=9), ""),
        (events.Progress(stage="evaluating", done=9, total=9), "evaluating: 9 of 9"),
        (events.StepSkipped(step=4, in_a_row=1, message="not finite."), "step 4 skipped, 1 in a row: not finite."),
        (
            events.CheckpointSaved(step=4, path="checkpoints/step-4", bytes=1_500_000, sha256="ab"),
            "checkpoint of step 4: checkpoints/step-4, 1.5 MB",
        ),
        (events.Ended(outcome="succeeded", step=9), "succeeded at step 9"),
        (
            events.Ended(outcome="failed", step=9, reason="nan_loss", message="Three steps."),
            "failed at step 9 (nan_loss: Three steps.)",
        ),
    ],
)
def test_what_happened_is_said_in_words(event: Any, said: str) -> None:
    assert sentence(event) == said
