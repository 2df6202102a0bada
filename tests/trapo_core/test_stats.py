"""Statistics against exact enumeration, published vectors, and simulated coverage."""

import operator
import random
import time
from itertools import combinations, product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trapo_core.stats import avg_at_k, cluster_bootstrap, mean, paired_delta, paired_p, pass_at_k, wilson


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [  # ALGORITHMS 7, V7
        (32, 0, 8, 0.0),
        (32, 1, 1, 0.03125),
        (32, 1, 8, 0.25),
        (32, 3, 8, 0.5919354838709677),
        (32, 16, 4, 0.9493882091212458),
        (32, 25, 8, 1.0),
        (256, 5, 64, 0.7658075305687928),
    ],
)
def test_pass_at_k_gives_the_published_vectors(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "c", "k"), [(n, c, k) for n in (1, 2, 5, 7) for c in range(n + 1) for k in range(1, n + 1)]
)
def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer(n: int, c: int, k: int) -> None:
    subsets = list(combinations([1] * c + [0] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)


@given(st.integers(1, 300), st.data())
def test_pass_at_k_rises_with_k_and_starts_at_the_share_right(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    assert pass_at_k(n, c, 1) == pytest.approx(c / n, abs=1e-12)
    assert pass_at_k(n, c, 1) - 1e-12 <= pass_at_k(n, c, k) <= 1.0
    assert pass_at_k(n, c, n) == (1.0 if c else 0.0)


@pytest.mark.parametrize(("n", "c", "k"), [(0, 0, 1), (4, 5, 1), (4, -1, 1), (4, 2, 0), (4, 2, 5), (4, 2, -1)])
def test_pass_at_k_refuses_impossible_arguments(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass_at_k needs"):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share_and_mirrors(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert 0.0 <= low <= successes / n <= high <= 1.0
    assert low < high
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_widens_with_confidence_and_narrows_with_trials() -> None:
    def width(successes: int, n: int, confidence: float) -> float:
        low, high = wilson(successes, n, confidence)
        return high - low

    assert width(5, 10, 0.99) > width(5, 10, 0.95) > width(50, 100, 0.95)


@pytest.mark.parametrize(
    ("successes", "n", "confidence"), [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 0.0), (1, 2, 1.0)]
)
def test_wilson_refuses_impossible_arguments(successes: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError):
        wilson(successes, n, confidence)


def test_every_problem_weighs_the_same() -> None:
    assert avg_at_k([[1.0], [0.0, 0.0, 0.0, 1.0]]) == 0.625


def test_bootstrap_agrees_with_the_enumeration_of_all_resamples() -> None:
    values = [0.0, 0.25, 0.5, 1.0]
    exact = sorted(sum(draw) / 4 for draw in product(values, repeat=4))
    low, high = cluster_bootstrap([[value] for value in values], resamples=20_000, confidence=0.8)
    assert low == pytest.approx(exact[round(0.1 * 255)], abs=0.0625)
    assert high == pytest.approx(exact[round(0.9 * 255)], abs=0.0625)


def test_bootstrap_is_the_same_for_the_same_seed_only() -> None:
    scores = [[i % 3 / 2] for i in range(50)]
    assert cluster_bootstrap(scores, seed=1) == cluster_bootstrap(scores, seed=1)
    assert cluster_bootstrap(scores, seed=1, resamples=200) != cluster_bootstrap(scores, seed=2, resamples=200)


def test_more_samples_of_the_same_problems_do_not_narrow_the_interval() -> None:
    one_each = [[float(i % 2)] for i in range(40)]
    copies = [scores * 32 for scores in one_each]
    assert cluster_bootstrap(copies) == cluster_bootstrap(one_each)


def test_statistic_is_taken_of_each_problem() -> None:
    scores = [[1.0, 0.0, 0.0, 0.0]] * 10 + [[0.0] * 4] * 10
    low, high = cluster_bootstrap(scores, statistic=lambda s: pass_at_k(len(s), round(sum(s)), 4))
    assert 0.2 < low < 0.5 < high < 0.8


def test_coverage_is_near_the_nominal_level() -> None:
    """200 worlds of 60 problems with 4 samples each; true mean 0.5. 95% of 200 is 190, one sigma is 3."""
    rng = random.Random(7)
    covered = 0
    for world in range(200):
        chances = [rng.random() for _ in range(60)]
        scores = [[float(rng.random() < chance) for _ in range(4)] for chance in chances]
        low, high = cluster_bootstrap(scores, resamples=400, seed=world)
        covered += low <= 0.5 <= high
    assert 178 <= covered <= 199


@pytest.mark.parametrize(("value", "n"), [(1.0, 30), (0.0, 30)])
def test_all_problems_alike_give_wilsons_interval_not_a_point(value: float, n: int) -> None:
    expected = wilson(round(value * n), n)
    assert cluster_bootstrap([[value]] * n) == pytest.approx(expected, abs=1e-12)


def test_one_problem_alone_says_next_to_nothing() -> None:
    low, high = cluster_bootstrap([[1.0, 0.0]])
    assert low < 0.15 and high > 0.85


def test_bootstrap_of_1000_problems_takes_less_than_a_second() -> None:
    rng = random.Random(0)
    scores = [[float(rng.random() < 0.3)] for _ in range(1000)]
    start = time.process_time()
    low, high = cluster_bootstrap(scores)
    assert time.process_time() - start < 1.0
    assert low < mean([s[0] for s in scores]) < high


def test_paired_delta_is_antisymmetric_and_sharper_than_two_intervals() -> None:
    rng = random.Random(3)
    chances = [rng.random() for _ in range(100)]
    a = [[min(1.0, chance + 0.05)] for chance in chances]
    b = [[chance] for chance in chances]
    delta, low, high = paired_delta(a, b)
    assert 0.04 < delta <= 0.05 + 1e-9
    assert 0 < low <= delta <= high
    assert high - low < 0.02 < cluster_bootstrap(a)[1] - cluster_bootstrap(a)[0]
    assert paired_delta(b, a) == pytest.approx((-delta, -high, -low), abs=0.002)


@pytest.mark.parametrize(("gained", "lost", "kept"), [(3, 1, 4), (5, 0, 3), (2, 2, 6), (1, 0, 9)])
def test_paired_delta_of_single_samples_is_exact_by_the_changes_alone(gained: int, lost: int, kept: int) -> None:
    """As in McNemar's test only the problems that changed count: every resample is a draw of n from (+1, -1, 0), and
    its sum has a multinomial distribution that can be written down."""
    n = gained + lost + kept
    a = [[1.0]] * gained + [[0.0]] * lost + [[1.0]] * (kept // 2) + [[0.0]] * (kept - kept // 2)
    b = [[0.0]] * gained + [[1.0]] * lost + [[1.0]] * (kept // 2) + [[0.0]] * (kept - kept // 2)
    delta, low, high = paired_delta(a, b, resamples=20_000, confidence=0.9)
    assert delta == pytest.approx((gained - lost) / n, abs=1e-15)
    mass = resample_mass(gained / n, lost / n, n)
    # Below `low` lies at most a twentieth, up to it at least one, but for the noise of 20,000 draws; so above `high`.
    for end, values in ((round(low * n), sorted(mass)), (round(high * n), sorted(mass, reverse=True))):
        before = sum(mass[value] for value in values[: values.index(end)])
        assert before - 0.006 <= 0.05 <= before + mass[end] + 0.006


def resample_mass(gain: float, loss: float, n: int) -> dict[int, float]:
    """Probability of each sum of n draws of +1 (gain), -1 (loss) or 0."""
    same = 1 - gain - loss
    return {
        total: sum(
            comb(n, up) * comb(n - up, up - total) * gain**up * loss ** (up - total) * same ** (n - 2 * up + total)
            for up in range(max(0, total), (n + total) // 2 + 1)
        )
        for total in range(-n, n + 1)
    }


def test_paired_delta_of_equal_scores_is_zero_with_room_for_doubt() -> None:
    delta, low, high = paired_delta([[1.0]] * 30, [[1.0]] * 30)
    assert delta == 0.0
    assert (low, high) == pytest.approx((-wilson(0, 30)[1], wilson(0, 30)[1]), abs=1e-12)


def test_paired_delta_needs_the_same_problems() -> None:
    with pytest.raises(ValueError, match="a has 2, b has 1"):
        paired_delta([[1.0], [0.0]], [[1.0]])


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], "no problems"),
        ([[1.0], []], "problem 1"),
        ([[2.0], [0.0]], "not 2.0"),
        ([[float("nan")], [0.0]], "nan"),
    ],
)
def test_bootstrap_refuses_what_has_no_score(scores: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cluster_bootstrap(scores)


def test_bootstrap_refuses_no_resamples_and_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one resample"):
        cluster_bootstrap([[1.0]], resamples=0)
    with pytest.raises(ValueError, match="no mean"):
        mean([])


def test_the_p_of_a_pair_is_the_share_of_signs_that_give_as_much() -> None:
    """Against all signs of the differences, counted out."""
    ours, theirs = [[1.0], [1.0], [0.5, 1.0], [1.0], [0.0], [1.0]], [[0.0], [0.0], [0.5, 0.5], [1.0], [1.0], [0.0]]
    deltas = [sum(a) / len(a) - sum(b) / len(b) for a, b in zip(ours, theirs, strict=True)]
    totals = [abs(sum(map(operator.mul, signs, deltas))) for signs in product((-1, 1), repeat=len(deltas))]
    exact = sum(total >= abs(sum(deltas)) - 1e-9 for total in totals) / len(totals)
    assert paired_p(ours, theirs, resamples=20_000) == pytest.approx(exact, abs=0.01)
    assert paired_p(theirs, ours, resamples=20_000) == pytest.approx(exact, abs=0.01)


def test_the_p_of_no_difference_and_of_one_problem_alone_is_one() -> None:
    assert paired_p([[1.0], [0.0]], [[1.0], [0.0]]) == 1.0
    assert paired_p([[1.0]], [[0.0]]) == 1.0
