"""What the programs measure, as rows of one table."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One measured number: `target` says in words what it should be, `met` whether it is (None: no target)."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    def row(self) -> str:
        verdict = {None: "", True: "yes", False: "**no**"}[self.met]
        return f"| {self.what} | {self.measured} | {self.target} | {verdict} | {self.load:.1f} |"


HEAD = "| | measured | target | met | load |\n|---|---|---|---|---|"


def table(figures: Sequence[Figure]) -> str:
    return "\n".join([HEAD, *(figure.row() for figure in figures)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed."""
    return sorted(values)[max(0, ceil(percent / 100 * len(values)) - 1)]


def milliseconds(what: str, seconds: Sequence[float], percent: float, below_ms: float) -> Figure:
    """Times of many requests, of which a percentile has a target."""
    times = [1000 * value for value in seconds]
    found = percentile(times, percent)
    text = f"median {median(times):.1f}, p{percent:g} {found:.1f}, most {max(times):.1f} ms"
    return Figure(what, text, f"p{percent:g} < {below_ms:g} ms", found < below_ms)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def timed(ask: Callable[[], object], times: int) -> list[float]:
    """Seconds of each of so many calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        found.append(time.perf_counter() - began)
    return found
