"""Who is guided, and where the expert's solution is cut."""

import math
import random
from fractions import Fraction
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trapo_core.guidance import cut_prefix, drawn, prefix_histogram, slot_ratio
from trapo_core.knobs import ChunksRatio, Slot
from trapo_core.methods import TRAPO_SLOTS

STATES = list(product(range(5), range(3), range(2)))  # successes among the first 4, the next 2, the next 1


def slots(thresholds: tuple[float, float, float], **values: Any) -> list[Slot]:
    ratios = (0.2, 0.5, 1.0)
    return [
        Slot(n=1, when="mean_below", threshold=t, ratio=r, **values) for t, r in zip(thresholds, ratios, strict=True)
    ]


def decisions(state: tuple[int, int, int], guided_slots: list[Slot]) -> str:
    """P for a prefix, - for none, in slots 2, 3 and 4, given the successes of the slots before each."""
    s4, s2, s1 = state
    rewards = [1.0] * s4 + [0.0] * (4 - s4) + [1.0] * s2 + [0.0] * (2 - s2) + [1.0] * s1 + [0.0] * (1 - s1)
    return "".join(
        "P" if slot_ratio(slot, rewards[:seen]) == slot.ratio else "-"
        for slot, seen in zip(guided_slots, (4, 6, 7), strict=True)
    )


def documented(state: tuple[int, int, int], rule: str) -> str:
    """ALGORITHMS 7, V4, row by row."""
    s4, s2, s1 = state
    if s4 <= 1:
        return "PPP"
    if s4 == 2:
        return {"strict": "-PP", "inclusive": "PPP", "official": "--P" if s2 == 2 else "-PP"}[rule]
    if s4 == 3:
        if s2 == 2:
            return "--P"
        return "--P" if rule == "official" and s2 == 1 else "-PP"
    if s2 == 0:
        return "--P" if rule == "official" else "-PP"
    return "---" if (s2, s1) == (2, 1) else "--P"


@pytest.mark.parametrize("state", STATES)
def test_decisions_are_the_documented_ones_in_every_state(state: tuple[int, int, int]) -> None:
    paper = (0.5, 0.7, 0.9)
    assert decisions(state, slots(paper)) == documented(state, "strict")
    assert decisions(state, slots(paper, inclusive=True)) == documented(state, "inclusive")
    assert decisions(state, slots((0.5, 4 / 6, 1.0))) == documented(state, "official")
    assert decisions(state, [Slot(**slot) for slot in TRAPO_SLOTS[1:]]) == documented(state, "strict")


@pytest.mark.parametrize("state", STATES)
def test_official_thresholds_are_the_released_codes_integers(state: tuple[int, int, int]) -> None:
    s4, s2, s1 = state
    integers = "".join("P" if below else "-" for below in (s4 < 2, s4 + s2 < 4, s4 + s2 + s1 < 7))
    assert decisions(state, slots((0.5, 4 / 6, 1.0))) == integers


@given(st.integers(1, 64), st.data())
def test_a_mean_equal_to_the_threshold_guides_only_when_inclusive(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    threshold = Fraction(data.draw(st.integers(0, n)), n)
    rewards = [1.0] * right + [0.0] * (n - right)
    strict = Slot(n=1, when="mean_below", threshold=float(threshold), ratio=0.5)
    inclusive = strict.model_copy(update={"inclusive": True})
    assert slot_ratio(strict, rewards) == (0.5 if Fraction(right, n) < threshold else 0.0)
    assert slot_ratio(inclusive, rewards) == (0.5 if Fraction(right, n) <= threshold else 0.0)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=16), st.randoms())
def test_the_order_of_earlier_samples_does_not_matter(rewards: list[float], rng: Any) -> None:
    slot = Slot(n=1, when="mean_below", threshold=0.5, ratio=0.2)
    mixed = rewards.copy()
    rng.shuffle(mixed)
    assert slot_ratio(slot, mixed) == slot_ratio(slot, rewards)


def test_always_and_never_do_not_look_at_rewards() -> None:
    for rewards in ([], [0.0], [1.0] * 8):
        assert slot_ratio(Slot(n=1, when="always", ratio=0.7), rewards) == 0.7
        assert slot_ratio(Slot(n=8), rewards) == 0.0


def test_before_any_sample_there_is_no_mean_and_no_guidance() -> None:
    slot = Slot(n=1, when="mean_below", threshold=0.5, ratio=0.2)
    assert slot_ratio(slot, []) == slot_ratio(slot, torch.tensor([])) == 0.0


def test_a_negative_threshold_never_guides() -> None:
    assert slot_ratio(Slot(n=4, when="mean_below", threshold=-1.0, ratio=0.2), [0.0] * 8) == 0.0


def test_rewards_may_be_any_sequence_and_the_slot_any_object_with_its_fields() -> None:
    slot = SimpleNamespace(n=2, when="mean_below", threshold=0.5, ratio=0.2)
    for rewards in ([0, 0, 1], (0.0, 0.0, 1.0), torch.tensor([0.0, 0.0, 1.0]), [False, False, True]):
        assert slot_ratio(slot, rewards) == 0.2  # type: ignore[arg-type]
    assert slot_ratio(slot, [1, 0]) == 0.0  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------ cutting


@given(st.integers(0, 10_000), st.decimals(0, 1, places=4))
def test_a_cut_is_the_floor_of_the_written_ratio(length: int, ratio: Any) -> None:
    assert cut_prefix(length, float(ratio)) == math.floor(length * Fraction(ratio))


def test_a_cut_does_not_lose_a_token_to_rounding() -> None:
    assert 100 * 0.29 < 29
    assert (cut_prefix(100, 0.29), cut_prefix(100, 0.57), cut_prefix(10_000, 0.0003)) == (29, 57, 3)


@given(st.integers(2, 5000), st.floats(0.0, 0.999), st.floats(0.0, 0.999))
def test_longer_ratios_cut_later_and_only_ratio_1_takes_the_end_token(length: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= cut_prefix(length, low) <= cut_prefix(length, high) < length
    assert cut_prefix(length, 1.0) == length


def test_a_prefix_of_a_short_trace_may_be_empty() -> None:
    assert [cut_prefix(length, 0.2) for length in range(11)] == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]
    assert cut_prefix(0, 1.0) == 0


def ratio_drawn(p: float, chunks: int = 5) -> float:
    slot = drawn(Slot(n=4, when="always", ratio=ChunksRatio(chunks=chunks, p=p)), random.Random(3), 0, 1)
    assert isinstance(slot.ratio, float)
    return slot.ratio


@given(st.integers(1, 100_000), st.integers(1, 9))
def test_all_chunks_of_a_solution_are_all_but_its_end_token(length: int, chunks: int) -> None:
    assert cut_prefix(length, ratio_drawn(1.0, chunks)) == length - 1
    assert cut_prefix(length, ratio_drawn(1.0, chunks), [length - 2], 0.2) == length - 1
    assert cut_prefix(length, ratio_drawn(0.0, chunks)) == 0


def released_cut(length: int, ratio: float, breaks: list[int], window: float) -> int:
    """The released code's rule as ALGORITHMS 1.4 retells it: a loop over token positions."""
    threshold = int(length * ratio)
    for index in range(length):
        if index > threshold and index in breaks:
            return index + 1 if index < length * (ratio + window) else threshold
    return threshold


@given(
    st.integers(4, 200),
    st.sampled_from([0.25, 0.5, 0.75]),
    st.sets(st.integers(0, 199)),
    st.sampled_from([0.0, 0.125, 0.3]),
)
def test_paragraph_cuts_follow_the_released_code(length: int, ratio: float, places: set[int], window: float) -> None:
    breaks = sorted(place for place in places if place < length)
    assert cut_prefix(length, ratio, breaks, window) == released_cut(length, ratio, breaks, window)


def test_a_cut_moves_behind_the_next_break_within_the_window() -> None:
    assert cut_prefix(100, 0.25, [10, 25, 40, 60]) == 41  # 25 is not behind the cut at 25
    assert cut_prefix(100, 0.25, [10, 54]) == 55
    assert cut_prefix(100, 0.25, [10, 50], window=0.25) == 25  # at the window's end
    assert cut_prefix(100, 0.25, [40], window=0.1) == 25
    assert cut_prefix(100, 0.25, []) == 25
    assert cut_prefix(100, 1.0, [10]) == 100
    assert cut_prefix(100, 0.0, [10]) == 0


@pytest.mark.parametrize(("length", "ratio"), [(-1, 0.5), (10, -0.1), (10, 1.1), (10, math.nan)])
def test_lengths_and_ratios_out_of_range_are_refused(length: int, ratio: float) -> None:
    with pytest.raises(ValueError, match="ratio in"):
        cut_prefix(length, ratio)


# ---------------------------------------------------------------------------------------------------------- histogram


@given(st.integers(1, 9000), st.data())
def test_the_histogram_counts_every_prefix_in_the_bin_that_holds_it(longest: int, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(0, longest), max_size=30))
    width, counts = prefix_histogram(lengths, longest)
    assert counts[0] == lengths.count(0)
    for index, count in enumerate(counts[1:], start=1):
        assert count == sum((index - 1) * width < length <= index * width for length in lengths)
    assert sum(counts) == len(lengths)
    assert len(counts) <= 21
    assert prefix_histogram([], longest) == (width, [0] * len(counts))  # the same bins in every step
