"""`trapo_core.stats` for many columns at once: the same draws by the same seed, as matrix products.

`stats` draws the problems of each resample by `random.Random(seed)`. Which problems those are depends on how many there
are and on nothing else, so all runs of a benchmark share them, and NumPy's Mersenne Twister can be set to draw them.
"""

import random
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trapo_core.stats import SLACK, without_spread

RESAMPLES = 2000
AT_ONCE = 250  # resamples as floats at a time: of 12,000 problems they take 24 MB
Columns = NDArray[np.float64]  # problems × whatever is compared


def intervals(values: Columns, bounds: tuple[float, float], confidence: float) -> list[tuple[float, float]]:
    """Of each column's mean, as `stats.cluster_bootstrap` (bounds 0, 1) or `stats.paired_delta` (-1, 1) of it."""
    problems, tail = len(values), (1 - confidence) / 2
    means = _product(_drawn(problems), values) / problems
    lows, highs = np.quantile(means, [tail, 1 - tail], axis=0)
    alike = np.ptp(values, axis=0) <= SLACK
    return [
        without_spread(float(column.mean()), problems, bounds, confidence) if same else (float(low), float(high))
        for column, same, low, high in zip(values.T, alike, lows, highs, strict=True)
    ]


def p_values(differences: Columns) -> list[float]:
    """Of each column, as `stats.paired_p`."""
    observed = np.abs(differences.sum(axis=0)) - SLACK * len(differences)
    # A sum with signs is twice the sum of those with a plus, less the sum.
    signed = 2 * _product(_heads(len(differences)), differences) - differences.sum(axis=0)
    found: list[float] = ((1 + (np.abs(signed) >= observed).sum(axis=0)) / (RESAMPLES + 1)).tolist()
    return found


def _product(drawn: NDArray[Any], values: Columns) -> Columns:
    return np.vstack([drawn[at : at + AT_ONCE].astype(np.float64) @ values for at in range(0, RESAMPLES, AT_ONCE)])


@lru_cache(maxsize=8)
def _drawn(problems: int) -> NDArray[np.uint16]:
    """How often each resample has each problem."""
    chance, drawn = _chance(), np.empty((RESAMPLES, problems), np.uint16)
    for row in drawn:
        row[:] = np.bincount((chance.random_sample(problems) * problems).astype(np.int64), minlength=problems)
    return drawn


@lru_cache(maxsize=8)
def _heads(problems: int) -> NDArray[np.bool_]:
    heads: NDArray[np.bool_] = _chance().random_sample((RESAMPLES, problems)) < 0.5
    return heads


def _chance() -> np.random.RandomState:
    """Goes on as `random.Random(0)` does."""
    _, state, _ = random.Random(0).getstate()
    chance = np.random.RandomState()
    chance.set_state(("MT19937", np.array(state[:-1], np.uint32), state[-1], 0, 0.0))
    return chance
