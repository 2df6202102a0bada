"""The arithmetic of buckets and sums, by hand."""

import math

import pytest

from runs.record.curves import bucket_values, flagged, unflagged


@pytest.mark.parametrize("value", [1.5, 0.0, math.inf, -math.inf])
def test_a_value_survives_the_flag(value):
    assert unflagged(*flagged(value)) == value


def test_nan_survives_the_flag():
    assert flagged(math.nan) == (None, 1)
    assert math.isnan(unflagged(None, 1))


def test_infinities_take_their_side_of_a_bucket():
    assert bucket_values(1.0, 3.0, 2) == (1.0, math.inf, math.inf)
    assert bucket_values(1.0, 3.0, 4) == (-math.inf, 3.0, -math.inf)
    assert bucket_values(None, None, 2) == (math.inf, math.inf, math.inf)
    assert math.isnan(bucket_values(None, None, 6)[2])


def test_a_nan_takes_the_mean_and_leaves_the_rest():
    low, high, mean = bucket_values(1.0, 3.0, 1)
    assert (low, high) == (1.0, 3.0)
    assert math.isnan(mean)
    assert all(map(math.isnan, bucket_values(None, None, 1)))
