"""Trailing means of a curve, over all its steps before any are put into buckets.

The value of a step is the mean of what the last `smooth` steps hold; it looks back only, so a live line never changes
behind its reader. Values that are not finite are left out of the mean; one whose own value is not finite is NaN.
A long curve is smoothed over its roll-ups: as wide as a bucket allows, and the window is whole roll-ups, at least
`smooth` steps. Up to `points` steps each value is exact.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session

from runs.rollups import LARGEST, WIDTHS, History, read_cells
from runs.tables import PointRow


class Cell(NamedTuple):
    """One step, or the steps of a roll-up: the sum of its finite values and how many they are."""

    last_step: int
    total: float
    known: int


def trailing_means(
    session: Session, past: History, series_id: int, points: int, asked: tuple[int, int | None], smooth: int
) -> Iterator[tuple[int, float, float, float]]:
    """(step, min, max, mean) of the smoothed curve in at most `points` buckets over the asked steps."""
    from_step, to_step = asked[0], LARGEST if asked[1] is None else asked[1]
    step = select(PointRow.step).where(PointRow.series_id == series_id, past.counting(from_step, to_step))
    # By the index from either end: the least and greatest in one go would read all steps.
    ends = (step.order_by(order).limit(1).scalar_subquery() for order in (PointRow.step, PointRow.step.desc()))
    first, last = session.execute(select(*ends)).one()
    if first is None:
        return
    width = -(-(last - first + 1) // points)
    rolled = max(w for w in (1, *WIDTHS) if w <= width)
    query = _cells(read_cells(past, series_id, rolled, max(0, first - smooth + 1), last), past, rolled)
    cells = [Cell(step, total or 0.0, known) for step, total, known in session.connection().execute(query)]
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


def _cells(cells: Select[Any], past: History, rolled: int) -> Select[Any]:
    """A roll-up says which values that are not finite occurred, not how many: where it has any, its points are
    counted."""
    one = cells.subquery().c
    begin = one.last_step - one.last_step % rolled
    counted = select(func.count(PointRow.value)).where(
        and_(PointRow.series_id == one.series_id, PointRow.step.between(begin, one.last_step), past.counting())
    )
    broken = one.nan + one.high_inf + one.low_inf > 0
    known = case((broken, counted.scalar_subquery()), else_=one.points)
    return select(one.last_step, one.total, known).order_by(one.last_step)
