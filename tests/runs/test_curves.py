"""The arithmetic of buckets and sums, by hand."""

import math

import pytest

from runs.curves import add_up, bucket_values, flagged, unflagged
from runs.tables import GuidanceRow


@pytest.mark.parametrize("value", [1.5, 0.0, math.inf, -math.inf])
def test_a_value_survives_the_flag(value):
    assert unflagged(*flagged(value)) == value


def test_nan_survives_the_flag():
    assert flagged(math.nan) == (None, 1)
    assert math.isnan(unflagged(None, 1))


def test_infinities_take_their_side_of_a_bucket():
    assert bucket_values(1.0, 3.0, [0, 1, 0]) == (1.0, math.inf, math.inf)
    assert bucket_values(1.0, 3.0, [0, 0, 1]) == (-math.inf, 3.0, -math.inf)
    assert bucket_values(None, None, [0, 1, 0]) == (math.inf, math.inf, math.inf)
    assert math.isnan(bucket_values(None, None, [0, 1, 1])[2])


def test_a_nan_takes_the_mean_and_leaves_the_rest():
    low, high, mean = bucket_values(1.0, 3.0, [1, 0, 0])
    assert (low, high) == (1.0, 3.0)
    assert math.isnan(mean)
    assert all(map(math.isnan, bucket_values(None, None, [1, 0, 0])))


def row(step, guided, counts):
    slot = {"slot": 0, "ratio": 0.2, "guided": guided, "guided_reward": 0.5, "unguided": 1, "unguided_reward": 1.0}
    return GuidanceRow(step=step, slots=[slot], prefix_lengths={"bin_tokens": 8, "counts": counts})


def test_guidance_is_thinned_by_adding_so_nothing_is_lost():
    rows = [row(1, 2, [1]), row(2, 3, [0, 4]), row(3, 5, [1, 1, 1])]
    width, steps = add_up(rows, 2)
    assert width == 2
    assert [step["step"] for step in steps] == [2, 3]
    assert steps[0]["slots"][0]["guided"] == 5
    assert steps[0]["slots"][0]["guided_reward"] == 1.0
    assert steps[0]["prefix_lengths"] == {"bin_tokens": 8, "counts": [1, 4], "rewards": None}


def test_rewards_by_length_are_added_up_where_every_step_tells_them():
    rows = [row(1, 2, [1]), row(2, 3, [0, 4]), row(3, 1, [2])]
    rows[0].prefix_lengths["rewards"], rows[1].prefix_lengths["rewards"] = [0.5], [0, 3.0]
    assert add_up(rows[:2], 1)[1][0]["prefix_lengths"]["rewards"] == [0.5, 3.0]
    assert add_up(rows, 1)[1][0]["prefix_lengths"]["rewards"] is None


def test_short_runs_are_not_thinned_and_empty_ones_are_empty():
    assert add_up([row(1, 2, [1])], 400)[0] == 1
    assert add_up([], 400) == (1, [])
