"""Guide or not, and where to cut the expert's solution. Pure arithmetic (TRAPO, section 3: micro-groups)."""

import random
from collections.abc import Sequence
from math import fsum

from trapo_core.knobs import ChunksRatio, Slot, UniformRatio, value_at

# Means of k/n against thresholds such as 0.7: room for rounding, far below the 1/n that separates two outcomes.
SLACK = 1e-9
# As a ratio: every step of the solution, but not the end token that follows them, for traces of up to a million tokens.
ALL_STEPS = 1.0 - 1e-6


def drawn(slot: Slot, rng: random.Random, step: int, steps: int) -> Slot:
    """The slot with its ratio as a number: as it is, or drawn at `step` (from 0) of a stage of `steps`.

    All chunks are a hint like fewer: the end token is no step of the solution, so that something is left to sample.
    """
    match slot.ratio:
        case UniformRatio(low=low, high=high):
            least = min(value_at(low, step, steps), high)
            ratio = least + (high - least) * rng.random()
        case ChunksRatio(chunks=chunks, p=p):
            shown = sum(rng.random() < value_at(p, step, steps) for _ in range(chunks))
            ratio = min(shown / chunks, ALL_STEPS)
        case _:
            return slot
    # Not validated again: an "always" slot may well draw no prefix at all.
    return slot.model_copy(update={"ratio": ratio})


def certain_ratio(slot: Slot, rewards: Sequence[float], pending: int) -> float | None:
    """`slot_ratio` if it is the same whatever the `pending` rewards in [0, 1] turn out to be, else None."""
    worst = slot_ratio(slot, [*rewards, *[0.0] * pending])
    best = slot_ratio(slot, [*rewards, *[1.0] * pending])
    return worst if worst == best else None


def slot_ratio(slot: Slot, rewards: Sequence[float]) -> float:
    """Prefix ratio of this slot's samples, given the rewards of ALL earlier samples of the group; 0.0 when unguided.

    `mean_below` guides iff the mean so far is strictly below the threshold (`inclusive`: or equal). Before any
    sample there is no mean, and the slot stays unguided. `inclusive` may be absent: False.
    """
    assert isinstance(slot.ratio, int | float), "draw the ratio first"
    if slot.when == "always":
        return slot.ratio
    if slot.when == "never" or slot.threshold is None or len(rewards) == 0:
        return 0.0
    gap = slot.threshold - fsum(rewards) / len(rewards)
    guided = gap > -SLACK if getattr(slot, "inclusive", False) else gap > SLACK
    return slot.ratio if guided else 0.0


def cut_prefix(length: int, ratio: float, breaks: Sequence[int] | None = None, window: float = 0.3) -> int:
    """How many of an expert trace's `length` tokens are the prefix at `ratio`.

    Without `breaks`: floor(length · ratio). With `breaks` (positions of tokens that hold a break, ascending):
    the prefix ends with the first break behind that cut if it lies before length · (ratio + window), else at the cut
    (the released code's rule for paragraphs). Ratio 1 takes all. Raises ValueError outside [0, 1] or for a negative
    length.
    """
    if length < 0 or not 0.0 <= ratio <= 1.0:
        raise ValueError(f"cut_prefix needs length >= 0 and ratio in [0, 1], not length={length}, ratio={ratio}.")
    cut = int(length * ratio + SLACK)
    if cut == 0 or cut >= length or breaks is None:
        return min(cut, length)
    behind = next((position for position in breaks if position > cut), None)
    return behind + 1 if behind is not None and behind < length * (ratio + window) else cut


def prefix_histogram(lengths: Sequence[int], longest: int, bins: int = 20) -> tuple[int, list[int]]:
    """(bin width in tokens, counts): counts[0] for no prefix, counts[i] for ((i-1)·width, i·width].

    `longest` is the greatest length that can occur in the run, so that the bins of all steps are the same.
    """
    width = max(1, -(-longest // bins))
    counts = [0] * (1 + -(-longest // width))
    for length in lengths:
        counts[-(-length // width)] += 1
    return width, counts
