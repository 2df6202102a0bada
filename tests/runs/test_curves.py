"""The arithmetic of buckets and sums, by hand."""

import math
from types import SimpleNamespace

import pytest

from runs.curves import add_up, bucket_values, first_score, flagged, sparkline_is_due, unflagged
from runs.tables import GuidanceRow, ScoreRow


def bucket(low=None, high=None, mean=None, nan=0, high_inf=0, low_inf=0):
    return SimpleNamespace(low=low, high=high, mean=mean, nan=nan, high_inf=high_inf, low_inf=low_inf)


@pytest.mark.parametrize("value", [1.5, 0.0, math.inf, -math.inf])
def test_a_value_survives_the_flag(value):
    assert unflagged(*flagged(value)) == value


def test_nan_survives_the_flag():
    assert flagged(math.nan) == (None, 1)
    assert math.isnan(unflagged(None, 1))


def test_infinities_take_their_side_of_a_bucket():
    assert bucket_values(bucket(1.0, 3.0, 2.0)) == (1.0, 3.0, 2.0)
    assert bucket_values(bucket(1.0, 3.0, 2.0, high_inf=1)) == (1.0, math.inf, math.inf)
    assert bucket_values(bucket(1.0, 3.0, 2.0, low_inf=1)) == (-math.inf, 3.0, -math.inf)
    assert bucket_values(bucket(high_inf=1)) == (math.inf, math.inf, math.inf)


def test_a_nan_takes_the_mean_and_leaves_the_rest():
    low, high, mean = bucket_values(bucket(1.0, 3.0, 2.0, nan=1))
    assert (low, high) == (1.0, 3.0)
    assert math.isnan(mean)
    assert all(map(math.isnan, bucket_values(bucket(nan=1))))


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
    assert steps[0]["prefix_lengths"] == {"bin_tokens": 8, "counts": [1, 4]}


def test_short_runs_are_not_thinned_and_empty_ones_are_empty():
    assert add_up([row(1, 2, [1])], 400)[0] == 1
    assert add_up([], 400) == (1, [])


def test_a_sparkline_is_drawn_at_each_step_of_a_short_run_and_some_200_times_in_a_long_one():
    assert all(sparkline_is_due(step, step, 100) for step in range(1, 101))
    drawn = [step for step in range(1, 100_001) if sparkline_is_due(step, step, 100_000)]
    assert 199 <= len(drawn) <= 202
    assert drawn[-1] == 100_000


def test_the_summarys_score_is_the_first_benchmarks_latest_average():
    spec = {"evaluation": {"benchmarks": [{"name": "a"}, {"name": "b"}]}}
    values = [("a", "avg@1", 0.1), ("a", "avg@1", 0.2), ("a", "pass@8", 0.9), ("b", "avg@1", 0.8)]
    rows = [ScoreRow(benchmark=name, metric=metric, score=score) for name, metric, score in values]
    assert first_score(spec, rows) == 0.2
    assert first_score({"benchmarks": [{"name": "b"}]}, rows) == 0.8
    assert first_score({}, rows) is None
