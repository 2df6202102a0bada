"""The benchmark board as it is read: runs as rows, benchmark × metric as cells; how cells compare: `comparisons.py`.

Runs that differ in nothing but their seed can be one row. Its score is the mean over seeds; its interval, and that of a
difference, is over problems, of the mean over seeds of each problem's share: what seeds add is in `spread`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from sqlalchemy import and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from runs.errors import CursorError, NotFoundError, no_run
from runs.life.listing import RunFilter
from runs.scores.comparisons import Cell, Column, Evaluation, Outcomes, Standing, mark, measure, references
from runs.tables import BoardRow, OutcomeRow, RunRow, SettingRow


@dataclass(frozen=True)
class BoardFilter:
    """() and None mean any; of several benchmarks or runs, these. `seeds` puts together runs that differ in nothing
    else."""

    runs: RunFilter | None = field(default_factory=RunFilter)  # none: archived and deleted ones too
    run: tuple[str, ...] = ()
    benchmark: tuple[str, ...] = ()
    at: Literal["last", "best"] = "last"
    seeds: bool = False
    by_score: bool = False  # highest first, of the first benchmark that is asked for; else newest first


@dataclass
class Board:
    rows: list[Standing]
    next_cursor: str | None
    baseline: Standing | None
    settings: dict[str, dict[str, Any]]  # by digest, of the shown cells


def read_board(
    session: Session, wanted: BoardFilter, limit: int, cursor: str | None = None, baseline: str | None = None
) -> Board:
    """A page of the board. NotFoundError if there is no run `baseline`."""
    keys, following = _page(session, wanted, limit, cursor)
    standings = _standings(session, wanted, keys)
    against = _baseline(session, wanted, baseline) if baseline else None
    shown = [*standings, against] if against else standings
    reference = _most_common(session, wanted) | (references(against) if against else {})
    settings = _settings(session, shown, reference)
    mark(shown, reference, settings)
    measure(shown, against, _outcomes(session, shown if against else [one for one in shown if len(one.runs) > 1]))
    return Board(standings, following, against, settings)


# --------------------------------------------------------------------------------------------------------- rows


def _key(wanted: BoardFilter) -> Any:
    """What the scores of one row of the board have in common."""
    return BoardRow.spec_digest if wanted.seeds else BoardRow.run_id


def _conditions(wanted: BoardFilter) -> list[Any]:
    found = [BoardRow.at == wanted.at]
    if wanted.runs:
        found.append(BoardRow.run_id.in_(select(RunRow.id).where(*wanted.runs.conditions())))
    found += [BoardRow.run_id.in_(wanted.run)] if wanted.run else []
    return found + ([BoardRow.benchmark.in_(wanted.benchmark)] if wanted.benchmark else [])


def _page(session: Session, wanted: BoardFilter, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
    """The keys of the rows, and the cursor of what comes next: the last row's score and newest run."""
    newest, value = func.max(BoardRow.run_id), func.coalesce(_value(wanted), -1.0)
    rows = select(_key(wanted), value, newest).where(*_conditions(wanted)).group_by(_key(wanted))
    if cursor:
        last, run_id = _read(cursor)
        rows = rows.having(or_(value < last, and_(value == last, newest < run_id)))
    found = session.execute(rows.order_by(value.desc(), newest.desc()).limit(limit + 1)).all()
    more = len(found) > limit
    return [row[0] for row in found[:limit]], f"{found[limit - 1][1]!r}:{found[limit - 1][2]}" if more else None


def _value(wanted: BoardFilter) -> Any:
    """What rows are sorted by before their age."""
    if not wanted.by_score:
        return literal(0.0)
    if not wanted.benchmark:
        own = select(RunRow.score).where(RunRow.id == BoardRow.run_id).scalar_subquery()
        return func.avg(own)
    first = and_(BoardRow.benchmark == wanted.benchmark[0], BoardRow.metric.startswith("avg@"))
    return func.avg(case((first, BoardRow.score)))


def _read(cursor: str) -> tuple[float, str]:
    value, _, run_id = cursor.partition(":")
    try:
        return float(value), run_id
    except ValueError as error:
        raise CursorError("This is no cursor of ours.", "Take `next_cursor` of the page before, as it is.") from error


def _standings(session: Session, wanted: BoardFilter, keys: Sequence[str]) -> list[Standing]:
    """In the order of the keys; the runs of each newest first."""
    key = _key(wanted)
    scored = select(BoardRow.__table__).where(*_conditions(wanted), key.in_(keys))
    by_key: dict[str, list[Any]] = {name: [] for name in keys}
    for row in session.execute(scored.order_by(BoardRow.run_id.desc())):
        by_key[getattr(row, key.key)].append(row)
    run_ids = {row.run_id for rows in by_key.values() for row in rows}
    columns = (RunRow.id, RunRow.name, RunRow.kind, RunRow.method, RunRow.state, RunRow.sweep_id)
    runs: dict[str, Any] = {run.id: run for run in session.execute(select(*columns).where(RunRow.id.in_(run_ids)))}
    return [
        Standing([runs[run_id] for run_id in dict.fromkeys(row.run_id for row in rows)], _cells(rows))
        for rows in by_key.values()
        if rows
    ]


def _cells(rows: Iterable[Any]) -> dict[Column, Cell]:
    cells: dict[Column, Cell] = {}
    for row in rows:
        cells.setdefault((row.benchmark, row.metric), Cell([])).members.append(row)
    return dict(sorted(cells.items()))


def _baseline(session: Session, wanted: BoardFilter, run_id: str) -> Standing:
    """The run, with those of other seeds if they are one row, whatever else is filtered; with those that were named
    together with it, only these."""
    if session.scalar(select(RunRow.id).where(RunRow.id == run_id)) is None:
        raise no_run(run_id)
    key = session.scalar(select(_key(wanted)).where(BoardRow.run_id == run_id).limit(1))
    named = wanted.run if run_id in wanted.run else ()
    # A run that was named may be archived.
    alike = RunFilter(archived=None if named else False) if wanted.seeds else None
    every = BoardFilter(alike, named, wanted.benchmark, wanted.at, wanted.seeds)
    found = _standings(session, every, [key] if key else [])
    if not found:
        raise NotFoundError(
            f"Run {run_id} has no scores of these benchmarks, or is archived or deleted.", "Choose another baseline."
        )
    return found[0]


# ------------------------------------------------------------------------------------------------- of other tables


def _most_common(session: Session, wanted: BoardFilter) -> dict[str, Evaluation]:
    """By benchmark, the evaluation that most of these runs have; of several the newest run's."""
    way = (BoardRow.benchmark, BoardRow.setting_digest, BoardRow.problems_digest)
    counted = select(*way).where(*_conditions(wanted), BoardRow.setting_digest.is_not(None)).group_by(*way)
    found = session.execute(counted.order_by(func.count(), func.max(BoardRow.run_id)))
    return {benchmark: (setting, problems) for benchmark, setting, problems in found}


def _settings(
    session: Session, standings: Sequence[Standing], reference: Mapping[str, Evaluation]
) -> dict[str, dict[str, Any]]:
    """By digest, those of these rows and what they are compared with."""
    digests = {row.setting_digest for one in standings for cell in one.cells.values() for row in cell.members}
    digests |= {setting for setting, _ in reference.values()}
    rows = select(SettingRow).where(SettingRow.digest.in_(digests - {None})).order_by(SettingRow.digest)
    return {row.digest: row.setting for row in session.scalars(rows)}


def _outcomes(session: Session, standings: Sequence[Standing]) -> Outcomes:
    rows = [row for one in standings for cell in one.cells.values() for row in cell.members]
    columns = (OutcomeRow.run_id, OutcomeRow.segment, OutcomeRow.step, OutcomeRow.benchmark)
    found = select(*columns, OutcomeRow.right).where(
        *(column.in_({getattr(row, column.key) for row in rows}) for column in columns)
    )
    return {tuple(row[:4]): np.frombuffer(row.right, "<u2") for row in session.execute(found)} if rows else {}
