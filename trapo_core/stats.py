"""Scores with their uncertainty: avg@k, pass@k, and intervals over problems. Standard library only.

The unit of chance is the problem, not the sample: 32 answers to one problem are no 32 problems. Intervals therefore
resample problems whole. Scores are shares in [0, 1]; a *scores-by-problem* list has one list of sample scores for
each problem.
"""

import random
from collections.abc import Callable, Sequence
from math import fsum, isfinite, prod, sqrt
from statistics import NormalDist

Scores = Sequence[Sequence[float]]
Statistic = Callable[[Sequence[float]], float]

# Room for rounding when scores are asked to be shares and to be all alike.
SLACK = 1e-12


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that at least one of `k` samples is right, from `n` samples of one problem of which `c` are right.

    Unbiased: 1 - C(n-c, k) / C(n, k), as a product that cannot overflow (Chen et al. 2021, section 2.1).
    Raises ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass_at_k needs 0 <= c <= n and 1 <= k <= n, not n={n}, c={c}, k={k}.")
    if n - c < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, correctly rounded sum; raises ValueError when there is none."""
    if not values:
        raise ValueError("there is no mean of no scores.")
    return fsum(values) / len(values)


def avg_at_k(scores_by_problem: Scores) -> float:
    """Mean over problems of the mean over a problem's samples: every problem weighs the same."""
    return mean(_shares(scores_by_problem, mean))


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share: `successes` out of `n` independent trials; always within [0, 1].

    Raises ValueError unless 0 <= successes <= n, n >= 1 and 0 < confidence < 1.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"wilson needs n >= 1 and 0 <= successes <= n, not successes={successes}, n={n}.")
    z = NormalDist().inv_cdf(0.5 + _checked(confidence) / 2)
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def cluster_bootstrap(
    scores_by_problem: Scores,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    statistic: Statistic = mean,
) -> tuple[float, float]:
    """Percentile interval (low, high) of the mean over problems of `statistic` (of one problem's scores).

    Problems are drawn with replacement; a problem's samples stay together. The same `seed` gives the same interval.

    Where all problems score alike, or there is one only, resampling sees no spread, and its interval would be a
    point. Then the interval is that of n trials without exception: at most a share u of such problems scores
    otherwise (u = Wilson's upper end of 0 in n), anywhere in [0, 1]. One problem alone gives a very wide interval.

    Not promised: exact coverage. With few problems (below about 30) percentile intervals are somewhat too narrow.
    Raises ValueError without problems, for a problem without scores, or for a statistic outside [0, 1].
    """
    shares = _shares(scores_by_problem, statistic)
    return _interval(shares, bounds=(0.0, 1.0), resamples=resamples, confidence=confidence, seed=seed)


def paired_delta(
    a_by_problem: Scores,
    b_by_problem: Scores,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    statistic: Statistic = mean,
) -> tuple[float, float, float]:
    """(delta, low, high): how much better `a` is than `b` on the same problems in the same order.

    delta is the mean over problems of statistic(a) - statistic(b); the interval resamples the per-problem
    differences, so that what makes a problem hard for both cancels. Numbers of samples may differ between a and b.
    Differences that are all alike are treated as in `cluster_bootstrap`, here in [-1, 1].
    Raises ValueError as `cluster_bootstrap` does, and where a and b have different numbers of problems.
    """
    deltas = _deltas(a_by_problem, b_by_problem, statistic)
    low, high = _interval(deltas, bounds=(-1.0, 1.0), resamples=resamples, confidence=confidence, seed=seed)
    return mean(deltas), low, high


def paired_p(
    a_by_problem: Scores, b_by_problem: Scores, *, resamples: int = 2000, seed: int = 0, statistic: Statistic = mean
) -> float:
    """How often a difference at least this large, either way, comes of chance: if the two runs were alike, each
    problem's difference could as well have had the other sign. Signs are drawn `resamples` times, so nothing below
    1/(resamples + 1) is seen; the observed signs count as one draw, which makes it a valid test with few problems too.

    Not corrected for many comparisons. Raises ValueError as `paired_delta` does.
    """
    deltas = _deltas(a_by_problem, b_by_problem, statistic)
    observed, coin = abs(fsum(deltas)) - SLACK * len(deltas), random.Random(seed)
    signed = (fsum(d if coin.random() < 0.5 else -d for d in deltas) for _ in range(resamples))
    return (1 + sum(abs(total) >= observed for total in signed)) / (resamples + 1)


def _deltas(a_by_problem: Scores, b_by_problem: Scores, statistic: Statistic) -> list[float]:
    if len(a_by_problem) != len(b_by_problem):
        raise ValueError(f"a pair needs the same problems: a has {len(a_by_problem)}, b has {len(b_by_problem)}.")
    pairs = zip(_shares(a_by_problem, statistic), _shares(b_by_problem, statistic), strict=True)
    return [a - b for a, b in pairs]


def _shares(scores_by_problem: Scores, statistic: Statistic) -> list[float]:
    if not scores_by_problem:
        raise ValueError("there are no problems to score.")
    if empty := [i for i, scores in enumerate(scores_by_problem) if not scores]:
        raise ValueError(f"problem {empty[0]} (counting from 0) has no scores.")
    shares = [statistic(scores) for scores in scores_by_problem]
    if wrong := [share for share in shares if not (isfinite(share) and -SLACK <= share <= 1 + SLACK)]:
        raise ValueError(f"scores are shares in [0, 1], not {wrong[0]}.")
    return shares


def _interval(
    values: Sequence[float], *, bounds: tuple[float, float], resamples: int, confidence: float, seed: int
) -> tuple[float, float]:
    if resamples < 1:
        raise ValueError(f"the bootstrap needs at least one resample, not {resamples}.")
    tail = (1 - _checked(confidence)) / 2
    if max(values) - min(values) <= SLACK:
        return without_spread(mean(values), len(values), bounds, confidence)
    draw, n = random.Random(seed).choices, len(values)
    means = sorted(sum(draw(values, k=n)) / n for _ in range(resamples))
    return quantile(means, tail), quantile(means, 1 - tail)


def without_spread(value: float, n: int, bounds: tuple[float, float], confidence: float) -> tuple[float, float]:
    """The interval of the mean of n values that are all `value`; see `cluster_bootstrap`."""
    exceptions = wilson(0, n, confidence)[1]
    lowest, highest = bounds
    return value - exceptions * (value - lowest), value + exceptions * (highest - value)


def quantile(ascending: Sequence[float], share: float) -> float:
    """Linear between the two nearest order statistics."""
    position = share * (len(ascending) - 1)
    below = int(position)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (position - below) * (ascending[above] - ascending[below])


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not {confidence}.")
    return confidence
