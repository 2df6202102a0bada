"""When a run warns, and that it says what to do."""

import pytest

from trapo_core.alarms import alarms


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"reward/all": 0.0, "groups/all_wrong": 1.0},
        {"reward/check_failures": 0.0, "completion/truncated_share": 0.0},
        {"reward/check_failures": 0.01, "completion/truncated_share": 0.5},
    ],
)
def test_a_step_without_trouble_says_nothing(metrics: dict[str, float]) -> None:
    assert alarms(metrics) == {}


def test_more_than_a_hundredth_of_unchecked_answers_is_told_with_its_remedy() -> None:
    found = alarms({"reward/check_failures": 3 / 256, "completion/truncated_share": 0.1})
    assert list(found) == ["unchecked"]
    assert found["unchecked"].startswith("1.2% of a step's answers could not be checked")
    assert "reward.timeout_s" in found["unchecked"]


def test_more_than_half_of_the_answers_cut_off_is_told_with_its_remedy() -> None:
    found = alarms({"reward/check_failures": 0.0, "completion/truncated_share": 0.75})
    assert list(found) == ["truncated"]
    assert found["truncated"].startswith("75% of a step's sampled answers were cut off")
    assert "sampling.max_tokens" in found["truncated"]


def test_names_stay_the_same_while_figures_change() -> None:
    steps = [{"reward/check_failures": share, "completion/truncated_share": 0.5 + share} for share in (0.02, 0.4)]
    first, second = map(alarms, steps)
    assert first.keys() == second.keys() == {"unchecked", "truncated"}
    assert first["unchecked"] != second["unchecked"]
