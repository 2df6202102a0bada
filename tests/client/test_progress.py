from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from client import progress
from client.display import Display, legend, print_results
from client.progress import RunView

START = datetime(2026, 1, 1, tzinfo=UTC)
SCORE = {
    "benchmark": "chains", "metric": "avg@4", "score": 0.5, "low": 0.4, "high": 0.6, "confidence": 0.95, "problems": 96,
    "samples": 4,
}  # fmt: skip


def view_after(*events: tuple[str, dict[str, Any]], every_s: float = 1.0) -> RunView:
    view = RunView("run_1", "chains", 100)
    for number, (kind, data) in enumerate(events):
        view.take(kind, START + timedelta(seconds=every_s * number), data)
    return view


def started(resumed_from_step: int = 0) -> tuple[str, dict[str, Any]]:
    return "attempt_started", {"attempt": 1, "resumed_from_step": resumed_from_step, "total_steps": 100, "pid": 1}


def step(number: int, reward: float | str, share: float = 0.5) -> tuple[str, dict[str, Any]]:
    return "step", {"step": number, "seconds": 2.0, "metrics": {"reward/unguided": reward, "guided/share": share}}


def test_first_and_last_reward_are_means_of_ten_steps() -> None:
    view = view_after(started(), *(step(number, number) for number in range(1, 41)))
    assert progress.first_mean(view.rewards) == 5.5
    assert progress.last_mean(view.rewards) == 35.5


def test_a_resumed_attempt_supersedes_the_steps_after_its_checkpoint() -> None:
    view = view_after(started(), *(step(number, 0.0) for number in range(1, 31)), started(20), step(21, 1.0))
    assert sorted(view.rewards) == list(range(1, 22))
    assert (view.stage, view.done, view.total) == ("training", 21, 100)


def test_a_number_that_is_not_finite_travels_as_a_string() -> None:
    assert view_after(started(), step(1, "NaN")).rewards[1] != view_after(started(), step(1, "NaN")).rewards[1]


def test_time_left_in_training_follows_the_last_steps() -> None:
    assert progress.seconds_left(view_after(started(), step(10, 0.0))) == 2.0 * 90


def test_time_left_in_a_preparation_follows_its_own_pace() -> None:
    events = [("progress", {"stage": "base model", "done": done, "total": 520}) for done in (20, 120)]
    assert progress.seconds_left(view_after(started(), *events, every_s=10.0)) == pytest.approx(40.0)


def test_the_line_says_stage_reward_guidance_and_time_left() -> None:
    view = view_after(started(), step(50, 0.25, 0.4))
    assert progress.plain_line(view) == "chains: training 50/100, unguided reward 0.250, guided 40 %, 1:40 left"


def test_a_run_that_failed_says_why() -> None:
    view = view_after(
        (
            "run_state",
            {"state": "failed", "reason": "nan_loss", "message": "The loss was not finite.", "desired": "run"},
        )
    )
    assert progress.plain_line(view) == "chains: failed (nan_loss)"
    console = Console(record=True, width=160)
    print_results(console, [view])
    assert console.export_text().strip() == "chains failed: The loss was not finite."


def test_the_first_and_the_latest_score_of_a_benchmark_count() -> None:
    scores = [("score", {"step": number, **SCORE, "score": number / 200}) for number in (0, 50, 100)]
    found = progress.first_and_last_scores(view_after(started(), *scores))
    assert [progress.score_words(*pair) for pair in found] == ["chains avg@4 0.000 → 0.500 [0.400, 0.600]"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.4, "0 s"), (59.0, "59 s"), (185.0, "3:05"), (3729.0, "1:02:09")]
)
def test_durations_are_read_at_a_glance(seconds: float | None, text: str) -> None:
    assert progress.duration(seconds) == text


def test_a_log_hears_of_each_tenth_and_each_stage() -> None:
    console = Console(record=True, width=120, force_terminal=False)
    view = RunView("run_1", "chains", 100)
    display = Display(console)
    with display.live([view]):
        for number, (kind, data) in enumerate([started(), *(step(number, 0.5) for number in range(1, 101))]):
            view.take(kind, START + timedelta(seconds=number), data)
            display.update(view)
    lines = console.export_text().splitlines()
    assert len(lines) == 12
    assert lines[1].startswith("chains: training 1/100")
    assert lines[2].startswith("chains: training 10/100")


def test_a_terminal_gets_one_line_for_each_run() -> None:
    console = Console(record=True, width=160, force_terminal=True)
    views = [RunView("a", "trapo", 100), RunView("b", "gr[po]", 100)]
    display = Display(console)
    with display.live(views):
        for view in views:
            for kind, data in (started(), step(40, 0.5, 0.25)):
                view.take(kind, START, data)
                display.update(view)
    last = console.export_text().splitlines()[-2:]
    assert all("training 40/100" in line and "reward 0.500" in line and "guided 25 %" in line for line in last)
    assert "gr[po]" in last[1]


def test_the_table_shows_first_and_last_and_the_interval() -> None:
    console = Console(record=True, width=160)
    view = view_after(
        started(), step(1, 0.1, 0.9), ("score", {"step": 1, **SCORE}), ("ended", {"outcome": "succeeded", "step": 1})
    )
    print_results(console, [view])
    text = console.export_text()
    for expected in ("succeeded", "0.100 → 0.100", "90 % → 90 %", "chains avg@4 0.500 [0.400, 0.600]", "95 % interval"):
        assert expected in text


def test_the_legend_speaks_of_intervals_only_where_there_are_scores() -> None:
    assert "interval" not in legend([RunView("a", "a", 1)])


def test_the_result_for_programs_has_the_same_numbers() -> None:
    found = progress.result(view_after(started(), step(1, 0.25, 0.5), ("score", {"step": 1, **SCORE})))
    assert found["reward_unguided"] == {"first": 0.25, "last": 0.25}
    assert found["scores"][0]["low"] == 0.4
