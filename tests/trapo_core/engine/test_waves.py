"""Waves: the same batches whoever asks first, and no deadlock however groups end."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from trapo_core.engine import Completion, SampleRequest, Waves


class EchoEngine:
    """Answers each request with its own seed, and keeps what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def sample(self, requests: Sequence[SampleRequest]) -> list[Completion]:
        self.batches.append([request.seed for request in requests])
        return [Completion([request.seed], [0.0], "stop") for request in requests]

    def weights_changed(self) -> None:
        """Nothing is kept."""


async def group(waves: Waves, index: int, slots: int, delays: random.Random) -> list[int]:
    """Asks slot after slot, as a group does, after a random wait for its rewards."""
    seen = []
    for slot in range(slots):
        [done] = await waves.sample([SampleRequest((1,), 100 * index + slot, 1, order=(index, slot))])
        seen += done.ids
        await asyncio.sleep(delays.random() / 500)
    return seen


def run(slots: list[int], seed: int) -> tuple[list[list[int]], list[list[int]]]:
    engine = EchoEngine()
    waves = Waves(engine)
    delays = random.Random(seed)
    results = asyncio.run(waves.run([group(waves, index, count, delays) for index, count in enumerate(slots)]))
    return results, engine.batches


def test_each_group_gets_its_own_samples_in_its_order() -> None:
    results, _ = run([3, 1, 0, 2], seed=1)
    assert results == [[0, 1, 2], [100], [], [300, 301]]


def test_batches_do_not_depend_on_who_was_scored_first() -> None:
    first, second = run([3, 1, 4, 2, 3], seed=1), run([3, 1, 4, 2, 3], seed=2)
    assert first == second
    assert first[1] == [[0, 100, 200, 300, 400], [1, 201, 301, 401], [2, 202, 402], [203]]


def test_an_error_in_one_group_ends_them_all() -> None:
    async def broken(waves: Waves) -> list[int]:
        await waves.sample([SampleRequest((1,), 0, 1, order=(9,))])
        raise ValueError("broken group")

    waves = Waves(EchoEngine())
    with pytest.raises(ValueError, match="broken group"):
        asyncio.run(waves.run([broken(waves), group(waves, 1, 3, random.Random(0))]))
    results = asyncio.run(waves.run([group(waves, 2, 2, random.Random(0))]))
    assert results == [[200, 201]]
