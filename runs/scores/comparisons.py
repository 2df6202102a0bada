"""Cells of the benchmark board against each other, and only like with like.

Of each benchmark one evaluation is the reference: the baseline's, else the one that most runs have. A cell of another
setting or of other problems says which fields differ, and has no difference.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import fsum
from statistics import stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from runs.scores.resampling import Columns, intervals, p_values
from trapo_core.stats import pass_at_k

UNKNOWN = "setting"  # what differs where a process did not tell how it asked
Column = tuple[str, str]  # benchmark, metric
Evaluation = tuple[str | None, str | None]  # digests of setting and problems
Outcomes = Mapping[tuple[Any, ...], NDArray[np.uint16]]  # how often each problem was right, by run, segment, step, name


@dataclass(frozen=True)
class Delta:
    """How much better than the baseline on the same problems, with the interval of the difference and its p."""

    delta: float
    low: float
    high: float
    p: float


@dataclass
class Cell:
    """`members` are the scores of its runs; of several, `low` and `high` are missing where they do not compare."""

    members: list[Any]
    differs: list[str] = field(default_factory=list)
    low: float | None = None
    high: float | None = None
    delta: Delta | None = None

    @property
    def score(self) -> float:
        return fsum(row.score for row in self.members) / len(self.members)

    @property
    def spread(self) -> float | None:
        return stdev(row.score for row in self.members) if len(self.members) > 1 else None

    @property
    def interval(self) -> str:
        return str(self.members[0].interval) if len(self.members) == 1 else "cluster_bootstrap"


@dataclass
class Standing:
    """A row of the board: one run, or those that differ in nothing but their seed, newest first."""

    runs: list[Row[Any]]
    cells: dict[Column, Cell]


# ------------------------------------------------------------------------------------------- like only with like


def mark(
    standings: Sequence[Standing], reference: Mapping[str, Evaluation], settings: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write into each cell what differs from the benchmark's reference."""
    for one in standings:
        for (benchmark, _), cell in one.cells.items():
            ways = {evaluation_of(row): None for row in cell.members}
            names = [name for way in ways for name in differing(way, reference.get(benchmark), settings)]
            cell.differs = list(dict.fromkeys(names))


def references(standing: Standing) -> dict[str, Evaluation]:
    """The evaluation that most members of its cells have, by benchmark."""
    seen: dict[str, Counter[Evaluation]] = defaultdict(Counter)
    for (benchmark, _), cell in standing.cells.items():
        seen[benchmark].update(evaluation_of(row) for row in cell.members if row.setting_digest)
    return {benchmark: counts.most_common(1)[0][0] for benchmark, counts in seen.items() if counts}


def evaluation_of(row: Any) -> Evaluation:
    return row.setting_digest, row.problems_digest


def differing(ours: Evaluation, reference: Evaluation | None, settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Fields of the setting, and `problems`, in which an evaluation is not like the reference."""
    if reference is None or ours[0] is None:
        return [UNKNOWN]
    own, other = settings[ours[0]], settings[reference[0] or ""]
    names = [name for name in dict.fromkeys([*own, *other]) if own.get(name) != other.get(name)]
    return names + (["problems"] if ours[1] != reference[1] else [])


# ------------------------------------------------------------------------------------------------------ the numbers


def measure(standings: Sequence[Standing], against: Standing | None, outcomes: Outcomes) -> None:
    """Write intervals and differences into the cells, a column of the board at a time."""
    columns: dict[Column, list[Cell]] = defaultdict(list)
    for one in standings:
        for column, cell in one.cells.items():
            columns[column].append(cell)
            if len(cell.members) == 1:
                cell.low, cell.high = cell.members[0].low, cell.members[0].high
    for column, cells in columns.items():
        base = against.cells.get(column) if against else None
        like = [cell for cell in cells if not cell.differs]
        groups = [cell for cell in like if len(cell.members) > 1]
        shares = {id(cell): problem_shares(cell, outcomes) for cell in (groups if base is None else like)}
        _measure_groups(groups, shares)
        if base is not None and id(base) in shares:
            others = [cell for cell in like if not _same(cell, base)]
            _measure_deltas(others, shares, shares[id(base)])


def _same(cell: Cell, base: Cell) -> bool:
    return {row.run_id for row in cell.members} == {row.run_id for row in base.members}


def _measure_groups(cells: Sequence[Cell], shares: dict[int, Columns]) -> None:
    if cells:
        values = np.stack([shares[id(cell)] for cell in cells], axis=1)
        for cell, bounds in zip(cells, intervals(values, (0.0, 1.0), cells[0].members[0].confidence), strict=True):
            cell.low, cell.high = bounds


def _measure_deltas(cells: Sequence[Cell], shares: dict[int, Columns], base: Columns) -> None:
    if not cells:
        return
    differences = np.stack([shares[id(cell)] - base for cell in cells], axis=1)
    found = zip(
        differences.mean(axis=0).tolist(),
        intervals(differences, (-1.0, 1.0), cells[0].members[0].confidence),
        p_values(differences),
        strict=True,
    )
    for cell, (delta, (low, high), p) in zip(cells, found, strict=True):
        cell.delta = Delta(delta, low, high, p)


def problem_shares(cell: Cell, outcomes: Outcomes) -> Columns:
    """Each problem's mean, or its pass@k, averaged over the cell's runs."""
    columns = [share_of_right(row.metric, row.samples)[outcomes[place_of(row)]] for row in cell.members]
    shares: Columns = np.mean(columns, axis=0)
    return shares


def place_of(row: Any) -> tuple[str, int, int, str]:
    """Where the outcomes of a score are."""
    return row.run_id, row.segment, row.step, row.benchmark


@lru_cache
def share_of_right(metric: str, samples: int) -> Columns:
    """What a problem is worth by how many of its answers are right, from 0 on."""
    name, _, k = metric.partition("@")
    counts = range(samples + 1)
    return np.array([pass_at_k(samples, c, int(k)) if name == "pass" else c / samples for c in counts])
