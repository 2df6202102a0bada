"""Many columns at once are what `trapo_core.stats` says of each alone."""

import random

import numpy as np
import pytest

from runs.scores.resampling import intervals, p_values
from trapo_core.stats import cluster_bootstrap, paired_delta, paired_p


def shares(problems, samples, seed):
    chance = random.Random(seed)
    return [[float(chance.random() < 0.4) for _ in range(samples)] for _ in range(problems)]


@pytest.mark.parametrize(("problems", "samples"), [(1, 1), (2, 1), (30, 32), (137, 3), (500, 1)])
def test_every_column_has_the_interval_and_p_that_it_has_alone(problems, samples):
    runs = [shares(problems, samples, seed) for seed in range(4)]
    base = runs[0]
    means = np.array([[sum(scores) / samples for scores in run] for run in runs]).T
    differences = means - means[:, :1]
    assert intervals(means, (0, 1), 0.95) == [pytest.approx(cluster_bootstrap(run), abs=1e-12) for run in runs]
    assert intervals(differences, (-1, 1), 0.95) == [
        pytest.approx(paired_delta(run, base)[1:], abs=1e-12) for run in runs
    ]
    assert p_values(differences) == [paired_p(run, base) for run in runs]


def test_another_confidence_is_another_interval():
    values = np.array([[0.0], [1.0], [0.25], [0.5]])
    (found,) = intervals(values, (0, 1), 0.8)
    assert found == pytest.approx(cluster_bootstrap(values.tolist(), confidence=0.8), abs=1e-12)
