"""Token buckets: so many a second for each caller, with room for a burst. Of one process, and used by its event loop
alone, so there is no lock."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

REMEMBERED = 10_000  # callers; who comes after so many others finds a full bucket again


class Throttle:
    def __init__(self, per_s: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, max(1.0, burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """0 and a token is taken, or how long until there is one."""
        at = self._clock()
        tokens, since = self._buckets.pop(caller, (self._burst, at))
        tokens = min(self._burst, tokens + (at - since) * self._per_s)
        passes = tokens >= 1
        self._buckets[caller] = (tokens - 1 if passes else tokens, at)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - tokens) / self._per_s
