"""Work beside a run: in order, never waited for, and left behind when it hangs."""

import threading
import time
from collections.abc import Iterator

import pytest

from trapo_core.aside import Aside, left_behind


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def test_everything_arrives_in_order() -> None:
    taken: list[int] = []
    aside: Aside[int] = Aside("taking", taken.extend)
    for number in range(1000):
        aside.put(number)
    aside.end()
    assert aside.done(soon())
    assert taken == list(range(1000))
    assert (aside.failure, aside.missed) == (None, 0)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_what_the_work_raises_is_kept_and_hurts_nobody(error: BaseException) -> None:
    def fail(items: Iterator[int]) -> None:
        next(items)
        raise error

    aside: Aside[int] = Aside("failing", fail)
    for number in range(10):
        aside.put(number)
    aside.end()
    assert aside.done(soon())
    assert aside.failure is error


def test_a_full_queue_is_missed_not_waited_for() -> None:
    go_on, taken = threading.Event(), list[int]()

    def hang(items: Iterator[int]) -> None:
        go_on.wait()
        taken.extend(items)

    aside: Aside[int] = Aside("hanging", hang, size=3)
    began = time.monotonic()
    for number in range(100):
        aside.put(number)
    assert aside.missed == 97
    aside.end()
    assert not aside.done(soon(0.05))
    assert time.monotonic() - began < 1.0
    assert aside.missed == 98
    assert left_behind()
    go_on.set()
    assert aside.done(soon())
    assert taken == [1, 2]
    assert not left_behind()
