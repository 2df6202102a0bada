"""The benchmark board as it is read: runs as rows, benchmark × metric as cells; how cells compare: `comparisons.py`.

Runs that differ in nothing but their seed can be one row. Its score is the mean over seeds; its interval, and that of a
difference, is over problems, of the mean over seeds of each problem's share: what seeds add is in `spread`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from runs.comparisons import Cell, Column, Standing, mark, measure
from runs.errors import CursorError, NotFoundError
from runs.listing import RunFilter
from runs.tables import BoardRow, OutcomeRow, RunRow


@dataclass(frozen=True)
class BoardFilter:
    """() and None mean any; of several benchmarks or runs, these. `seeds` puts together runs that differ in nothing
    else."""

    runs: RunFilter = field(default_factory=RunFilter)
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
    standings = _standings(session, wanted, _matching(wanted))
    against = _baseline(session, wanted, baseline) if baseline else None
    settings = _settings(session, [*standings, *([against] if against else [])])
    mark(standings if against is None else [against, *standings], against, settings)
    standings.sort(key=lambda one: _rank(wanted, one), reverse=True)
    shown, following = _page(standings, limit, cursor)
    compared = shown if against is None else [*shown, against]
    measure(compared, against, _outcomes(session, wanted, compared, only_groups=against is None))
    digests = {row.setting_digest for one in compared for cell in one.cells.values() for row in cell.members}
    return Board(shown, following, against, {name: settings[name] for name in sorted(digests - {None})})


# --------------------------------------------------------------------------------------------------------- rows


def _matching(wanted: BoardFilter) -> Any:
    runs = select(RunRow.id).where(*wanted.runs.conditions())
    return runs.where(RunRow.id.in_(wanted.run)) if wanted.run else runs


def _standings(session: Session, wanted: BoardFilter, run_ids: Any) -> list[Standing]:
    scored = select(BoardRow.__table__).where(BoardRow.at == wanted.at, BoardRow.run_id.in_(run_ids))
    if wanted.benchmark:
        scored = scored.where(BoardRow.benchmark.in_(wanted.benchmark))
    by_run = {
        run_id: list(rows)
        for run_id, rows in groupby(session.execute(scored.order_by(BoardRow.run_id)), key=lambda row: row.run_id)
    }
    named = select(
        RunRow.id, RunRow.name, RunRow.kind, RunRow.method, RunRow.state, RunRow.sweep_id, RunRow.score
    ).where(RunRow.id.in_(run_ids))
    groups: dict[str, list[Any]] = defaultdict(list)
    for run in session.execute(named.order_by(RunRow.id.desc())).all():
        if scores := by_run.get(run.id):
            groups[scores[0].spec_digest if wanted.seeds else run.id].append(run)
    return [Standing(runs, _cells(row for run in runs for row in by_run[run.id])) for runs in groups.values()]


def _cells(rows: Iterable[Any]) -> dict[Column, Cell]:
    cells: dict[Column, Cell] = {}
    for row in rows:
        cells.setdefault((row.benchmark, row.metric), Cell([])).members.append(row)
    return dict(sorted(cells.items()))


def _baseline(session: Session, wanted: BoardFilter, run_id: str) -> Standing:
    """The run, with those of other seeds if they are one row, whatever else is filtered."""
    if session.scalar(select(RunRow.id).where(RunRow.id == run_id)) is None:
        raise NotFoundError(f"There is no run {run_id}.", "GET /api/v1/runs lists those there are.")
    run_ids: Any = [run_id]
    if wanted.seeds:
        alike = select(BoardRow.spec_digest).where(BoardRow.run_id == run_id).limit(1).scalar_subquery()
        run_ids = select(BoardRow.run_id).join(RunRow).where(BoardRow.spec_digest == alike, *RunFilter().conditions())
        run_ids = run_ids.union(select(BoardRow.run_id).where(BoardRow.run_id == run_id))
    found = _standings(session, wanted, run_ids)
    if not found:
        raise NotFoundError(f"Run {run_id} has no scores of these benchmarks.", "Choose another baseline.")
    return found[0]


def _rank(wanted: BoardFilter, one: Standing) -> tuple[float, str]:
    if not wanted.by_score:
        return 0.0, one.runs[0].id
    of_first = [cell.score for (name, metric), cell in one.cells.items()
                if wanted.benchmark and name == wanted.benchmark[0] and metric.startswith("avg@")]  # fmt: skip
    score = of_first[0] if of_first else None if wanted.benchmark else one.runs[0].score
    return (-1.0 if score is None else score), one.runs[0].id


def _page(standings: list[Standing], limit: int, cursor: str | None) -> tuple[list[Standing], str | None]:
    """A cursor is the last row's first run, looked up in today's order."""
    start = 0
    if cursor:
        places = (place for place, one in enumerate(standings) if one.runs[0].id == cursor)
        if (last := next(places, None)) is None:
            raise CursorError("This row is no longer on the board.", "Begin at the first page.")
        start = last + 1
    shown = standings[start : start + limit]
    return shown, shown[-1].runs[0].id if start + limit < len(standings) else None


# ------------------------------------------------------------------------------------------------- of other tables


def _settings(session: Session, standings: Sequence[Standing]) -> dict[str, dict[str, Any]]:
    """Each setting once, by its digest."""
    examples = {
        row.setting_digest: row for one in standings for cell in one.cells.values() for row in cell.members
    }  # fmt: skip
    examples.pop(None, None)
    keys = (OutcomeRow.run_id, OutcomeRow.segment, OutcomeRow.step, OutcomeRow.benchmark)
    found = {}
    for digest, row in examples.items():
        same = [key == getattr(row, key.name) for key in keys]
        found[digest] = session.scalar(select(OutcomeRow.setting).where(*same))
    return {digest: setting for digest, setting in found.items() if setting is not None}


def _outcomes(
    session: Session, wanted: BoardFilter, standings: Sequence[Standing], only_groups: bool
) -> dict[tuple[Any, ...], list[int]]:
    """How often each problem was right, of the evaluations that these rows show."""
    run_ids = {run.id for one in standings if not only_groups or len(one.runs) > 1 for run in one.runs}
    if not run_ids:
        return {}
    keys = (OutcomeRow.run_id, OutcomeRow.segment, OutcomeRow.step, OutcomeRow.benchmark)
    shown = (BoardRow.run_id, BoardRow.segment, BoardRow.step, BoardRow.benchmark)
    same = [ours == theirs for ours, theirs in zip(keys, shown, strict=True)]
    is_shown = select(BoardRow.run_id).where(*same, BoardRow.at == wanted.at).exists()
    found = select(*keys, OutcomeRow.right).where(OutcomeRow.run_id.in_(run_ids), is_shown)
    if wanted.benchmark:
        found = found.where(OutcomeRow.benchmark.in_(wanted.benchmark))
    return {tuple(row[:4]): row[4] for row in session.execute(found)}
