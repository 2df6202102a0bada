"""Trailing means of a curve, over all its steps before any are put into buckets.

The value of a step is the mean of what the last `smooth` steps hold; it looks back only, so a live line never changes
behind its reader. Values that are not finite are left out of the mean; one whose own value is not finite is NaN.
A long curve is smoothed over cells, as many whole roll-ups as a bucket allows, and the window is whole cells, at least
`smooth` steps. Up to `points` steps each value is exact.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from runs.record.rollups import LARGEST, WIDTHS, History, in_buckets
from runs.tables import PointRow


class Cell(NamedTuple):
    """One step, or the steps of some roll-ups: the sum of its finite values and how many they are."""

    last_step: int
    total: float
    known: int


def trailing_means(
    database: Connection, past: History, series_id: int, points: int, asked: tuple[int, int | None], smooth: int
) -> Iterator[tuple[int, float, float, float]]:
    """(step, min, max, mean) of the smoothed curve in at most `points` buckets over the asked steps."""
    from_step, to_step = asked[0], LARGEST if asked[1] is None else asked[1]
    step = select(PointRow.step).where(PointRow.series_id == series_id, past.counting(from_step, to_step))
    # By the index from either end: the least and greatest in one go would read all steps.
    ends = (step.order_by(order).limit(1).scalar_subquery() for order in (PointRow.step, PointRow.step.desc()))
    first, last = database.execute(select(*ends)).one()
    if first is None:
        return
    width = -(-(last - first + 1) // points)
    finer = max(w for w in (1, *WIDTHS) if w <= width)
    rolled = width // finer * finer
    cells = _cells(database, past, series_id, rolled, max(0, first - smooth + 1), last)
    shown = ((step, mean) for step, mean in slide(cells, smooth) if step >= first)
    for _, bucket in groupby(shown, lambda at: (at[0] - first) // width):
        steps, means = zip(*bucket, strict=True)
        yield (steps[-1], *_low_high_mean(means))


def _low_high_mean(means: Iterable[float]) -> tuple[float, float, float]:
    known = [mean for mean in means if not math.isnan(mean)]
    return (min(known), max(known), sum(known) / len(known)) if known else (math.nan,) * 3


def slide(cells: list[Cell], smooth: int) -> Iterator[tuple[int, float]]:
    """(last step, mean over the window that ends there) of each cell, NaN for a cell without a finite value.

    Sums are only added to, never taken from: after 1e20 has left a window, what is left of a difference would be wrong.
    So the window is two parts: `older` holds the sums from each of its cells up to the middle, `newer` one sum."""
    older: list[tuple[float, int]] = []
    total, known, oldest = 0.0, 0, 0
    for i, cell in enumerate(cells):
        total += cell.total
        known += cell.known
        while cells[oldest].last_step <= cell.last_step - smooth:
            if not older:
                total, known = 0.0, 0
                for held in reversed(cells[oldest : i + 1]):
                    total += held.total
                    known += held.known
                    older.append((total, known))
                total, known = 0.0, 0
            older.pop()
            oldest += 1
        sums = older[-1] if older else (0.0, 0)
        yield cell.last_step, (total + sums[0]) / (known + sums[1]) if cell.known else math.nan


def _cells(
    database: Connection, past: History, series_id: int, rolled: int, from_step: int, to_step: int
) -> list[Cell]:
    """In whole roll-ups. One says which values that are not finite occurred, not how many: where any has some, the
    finite ones are counted."""
    begin = from_step - from_step % rolled
    question = in_buckets(past, rolled, begin, to_step)
    rows = database.execute(question.statement(whole_run=False), question.values() | {"of_series": series_id}).all()
    broken = [row.last_step for row in rows if row.nan or row.high_inf or row.low_inf]
    known: dict[int, int] = {}
    if broken:
        bucket = (PointRow.step // rolled).label("bucket")
        counts = past.counting(broken[0] - broken[0] % rolled, broken[-1])
        finite = select(bucket, func.count(PointRow.value)).where(PointRow.series_id == series_id, counts)
        known = {at: number for at, number in database.execute(finite.group_by(bucket))}  # noqa: C416 - rows
    return [Cell(row.last_step, row.total or 0.0, known.get(row.last_step // rolled, row.points)) for row in rows]
