"""The benchmark board: scores with intervals, and their differences from a baseline."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Db
from api.queries import BoardQuery
from api.schemas.board import Board, BoardCell, BoardDelta, BoardLine, BoardSeed
from runs.db import reading
from runs.scores.comparisons import Cell, Standing
from runs.scores.standings import read_board
from trapo_core.published import PUBLISHED

router = APIRouter(tags=["benchmarks"])


@router.get("/benchmarks")
def read_benchmarks(db: Db, query: Annotated[BoardQuery, Query()]) -> Board:
    """Runs with scores. Only like is compared with like: a cell whose evaluation is not the reference's says in what it
    differs."""
    with reading(db) as session:
        board = read_board(session, query.filter(), query.limit, query.cursor, query.baseline)
    papers = _papers(query.benchmark) if query.published and query.cursor is None else []
    return Board(
        data=[*map(_line, board.rows), *papers],
        next_cursor=board.next_cursor,
        baseline=_line(board.baseline) if board.baseline else None,
        settings=board.settings,
    )


def _line(one: Standing) -> BoardLine:
    newest = one.runs[0]
    seeds = {row.run_id: row.seed for cell in one.cells.values() for row in cell.members}
    return BoardLine(
        name=newest.name, source="run", kind=newest.kind, method=newest.method, sweep_id=newest.sweep_id,
        runs=[BoardSeed(id=run.id, seed=seeds[run.id], state=run.state) for run in one.runs],
        cells=[_cell(*column, cell) for column, cell in one.cells.items()],
    )  # fmt: skip


def _cell(benchmark: str, metric: str, cell: Cell) -> BoardCell:
    row = cell.members[0]
    delta = BoardDelta(**vars(cell.delta)) if cell.delta else None
    return BoardCell(
        benchmark=benchmark, metric=metric, score=cell.score, low=cell.low, high=cell.high, confidence=row.confidence,
        interval=cell.interval, problems=row.problems, samples=row.samples, step=row.step, seeds=len(cell.members),
        spread=cell.spread, setting=row.setting_digest, differs=cell.differs, delta=delta,
    )  # fmt: skip


def _papers(benchmarks: list[str]) -> list[BoardLine]:
    return [
        BoardLine(
            name=line.name, source="paper", citation=line.citation, method=line.method, runs=[],
            cells=[
                BoardCell(benchmark=name, metric=line.metric_of(name), score=score, differs=["setting"])
                for name, score in line.scores.items()
                if not benchmarks or name in benchmarks
            ],
        )
        for line in PUBLISHED
    ]  # fmt: skip
