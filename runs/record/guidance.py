"""How much guidance the steps of a run gave, added up, so that a picture of a long run reads a few thousand rows.

Sums over 8, 32, 128 and 512 steps are written when their last step has told, as those of points are (`rollups.py`); a
resume deletes those that reach beyond the step it goes back to. They are derived: where one is missing, its steps are
read.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.orm import Session

from runs.db import insert_new
from runs.record.rollups import LARGEST, WIDTHS, History, history
from runs.tables import GuidanceRollupRow, GuidanceRow

_SUMS = ("guided", "guided_reward", "unguided", "unguided_reward")


class Sum(NamedTuple):
    """Some steps added up: slots as `SlotOutcome`, prefix lengths as `PrefixLengths` of `trapo_core/events.py`."""

    step: int  # the last of them
    slots: list[dict[str, Any]]
    prefix_lengths: dict[str, Any]


def read_guidance(
    session: Session, run_id: str, points: int, from_step: int = 0, to_step: int | None = None
) -> tuple[int, list[Sum]]:
    """(steps in a bucket, buckets): every step by itself up to `points` of them, else buckets of equal width."""
    past, until = history(session, run_id), LARGEST if to_step is None else to_step
    wanted = and_(GuidanceRow.run_id == run_id, past.counting(from_step, until, GuidanceRow))
    size = select(func.count(), func.min(GuidanceRow.step), func.max(GuidanceRow.step)).where(wanted)
    count, first, last = session.execute(size).one()
    if count <= points:
        return 1, list(_steps(session, wanted))
    finer = max(w for w in (1, *WIDTHS) if w * points <= last - first + 1)
    origin = first - first % finer
    width = finer * -(-(last - origin + 1) // (finer * points))
    parts = _in_parts(session, past, finer, (first, last))
    buckets = groupby(parts, lambda part: (part.step - origin) // width)
    return width, [add_up(list(bucket)) for _, bucket in buckets]


def _in_parts(session: Session, past: History, width: int, asked: tuple[int, int]) -> list[Sum]:
    """By step: sums of `width` where they are written and wholly asked for, and the steps around and between them."""
    low, high = -(-asked[0] // width), (asked[1] + 1) // width
    written = _written(session, past.run_id, width, low, high)
    gaps = [(asked[0], low * width - 1), (high * width, asked[1])] if low < high else [asked]
    gaps += [(at * width, end) for at, end in _missing({part.step // width for part in written}, low, high, width)]
    of_run = GuidanceRow.run_id == past.run_id
    for first, last in gaps:
        if first <= last:
            written += _steps(session, and_(of_run, past.counting(first, last, GuidanceRow)))
    return sorted(written, key=lambda part: part.step)


def _missing(have: set[int], low: int, high: int, width: int) -> Iterator[tuple[int, int]]:
    """(first bucket, last step) of each stretch of buckets that are not written."""
    absent = [bucket for bucket in range(low, high) if bucket not in have]
    for _, stretch in groupby(enumerate(absent), lambda pair: pair[1] - pair[0]):
        buckets = [bucket for _, bucket in stretch]
        yield buckets[0], (buckets[-1] + 1) * width - 1


def _written(session: Session, run_id: str, width: int, low: int, high: int) -> list[Sum]:
    row = GuidanceRollupRow
    query = select(row.last_step, row.slots, row.prefix_lengths).where(row.run_id == run_id, row.width == width)
    query = query.where(row.bucket >= low, row.bucket < high).order_by(row.bucket)
    return [Sum(*found) for found in session.execute(query)] if width > 1 else []


def _steps(session: Session, wanted: ColumnElement[bool]) -> Iterator[Sum]:
    query = select(GuidanceRow.step, GuidanceRow.slots, GuidanceRow.prefix_lengths).where(wanted)
    for found in session.execute(query.order_by(GuidanceRow.step)):
        yield Sum(*found)


# ------------------------------------------------------------------------------------------------------------ writing


def roll_up_guidance(session: Session, past: History, first_step: int, last_step: int) -> None:
    """Write what became complete when these steps told their guidance."""
    finer = 1
    for width in WIDTHS:
        first, end = first_step // width, (last_step + 1) // width
        if first >= end:
            return  # nor is anything complete that is wider
        parts = _in_parts(session, past, finer, (first * width, end * width - 1))
        sums = [add_up(list(of)) for _, of in groupby(parts, partial(_bucket, width))]
        row = GuidanceRollupRow
        of_width = (row.run_id == past.run_id, row.width == width)
        session.execute(delete(row).where(*of_width, row.bucket >= first, row.bucket < end))
        same = {"run_id": past.run_id, "width": width}
        insert_new(session, row, [
            {**same, "bucket": made.step // width, "last_step": made.step, "slots": made.slots,
             "prefix_lengths": made.prefix_lengths}
            for made in sums
        ])  # fmt: skip
        finer = width


def _bucket(width: int, part: Sum) -> int:
    return part.step // width


def supersede_guidance(session: Session, run_id: str, step: int) -> None:
    """Forget what reaches beyond `step`: the run goes on from there."""
    row = GuidanceRollupRow
    session.execute(delete(row).where(row.run_id == run_id, (row.bucket + 1) * row.width - 1 > step))


def add_up(parts: list[Sum]) -> Sum:
    slots: dict[tuple[int, float], dict[str, Any]] = {}
    for part in parts:
        for slot in part.slots:
            into = slots.setdefault((slot["slot"], slot["ratio"]), {**slot, **dict.fromkeys(_SUMS, 0)})
            for name in _SUMS:
                into[name] += slot[name]
    lengths = {
        "bin_tokens": parts[-1].prefix_lengths["bin_tokens"],
        "counts": _added(part.prefix_lengths["counts"] for part in parts),
        "rewards": _added(part.prefix_lengths.get("rewards") for part in parts),
    }
    return Sum(parts[-1].step, [slots[key] for key in sorted(slots)], lengths)


def _added(columns: Iterable[list[float] | None]) -> list[float] | None:
    """None is not known, and so is its sum."""
    sums: list[float] = []
    for column in columns:
        if column is None:
            return None
        sums += [0] * (len(column) - len(sums))
        for place, value in enumerate(column):
            sums[place] += value
    return sums
