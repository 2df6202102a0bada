"""The board: every number is that of `trapo_core.stats`, and nothing is compared that was not asked alike."""

import json

import pytest
from sqlalchemy import select

from runs.db import reading, writing
from runs.errors import CursorError, NotFoundError
from runs.life import leases, removal
from runs.life.leases import Worker
from runs.life.listing import RunFilter
from runs.life.transitions import move
from runs.record.ingest import ingest
from runs.scores.standings import BoardFilter, read_board
from runs.states import State
from runs.tables import BoardRow, EventRow
from tests.runs.board_world import answers, passed, score_run, scores, tell, told
from trapo_core.events import AttemptStarted
from trapo_core.stats import cluster_bootstrap, paired_delta, paired_p

AVG, PASS = ("chains", "avg@4"), ("chains", "pass@2")


@pytest.fixture
def scored(any_engine, make_run, tmp_path):
    """A function: a run with these events; its id."""

    def make(*events, **fields):
        run_id = make_run(any_engine, **fields)
        score_run(any_engine, tmp_path / run_id, run_id, *events)
        return run_id

    return make


@pytest.fixture
def board(any_engine):
    def read(baseline=None, limit=100, cursor=None, **wanted):
        with reading(any_engine) as session:
            return read_board(session, BoardFilter(**wanted), limit, cursor, baseline)

    return read


def test_a_score_is_shown_as_its_process_told_it(scored, board):
    run_id = scored(*told(answers(1), step=1), *told(answers(2), step=5, pass_at=(2,)))
    (row,) = board().rows
    (told_score, _) = scores(answers(2), pass_at=(2,))
    cell = row.cells[AVG]
    assert [run.id for run in row.runs] == [run_id]
    assert (cell.score, cell.low, cell.high) == (told_score.score, told_score.low, told_score.high)
    assert (cell.members[0].step, cell.differs, cell.delta, cell.spread) == (5, [], None, None)


def test_a_difference_is_the_paired_one_of_stats_for_every_metric(scored, board):
    ours, theirs = answers(1, skill=0.6), answers(2, skill=0.3)
    base, other = scored(*told(theirs, pass_at=(2,))), scored(*told(ours, pass_at=(2,)))
    found = board(baseline=base)
    cells = {row.runs[0].id: row.cells for row in found.rows}
    for column, extra in ((AVG, {}), (PASS, {"statistic": passed(2)})):
        delta = cells[other][column].delta
        assert (delta.delta, delta.low, delta.high) == pytest.approx(paired_delta(ours, theirs, **extra), abs=1e-12)
        assert delta.p == paired_p(ours, theirs, **extra)
        assert cells[base][column].delta is None
    assert found.baseline.runs[0].id == base


def test_what_was_asked_otherwise_says_how_and_has_no_difference(scored, board):
    base = scored(*told(answers(1)))
    hotter = scored(*told(answers(2), temperature=0.6, checker="2"))
    others = scored(*told(answers(2), problems="p2"))
    old = scored(*scores(answers(2)))
    found = board(baseline=base)
    cells = {row.runs[0].id: row.cells[AVG] for row in found.rows}
    assert {run_id: cell.differs for run_id, cell in cells.items()} == {
        base: [], hotter: ["temperature", "checker"], others: ["problems"], old: ["setting"],
    }  # fmt: skip
    assert all(cell.delta is None for cell in cells.values())
    assert {setting["temperature"] for setting in found.settings.values()} == {1.0, 0.6}


def test_without_a_baseline_the_setting_of_most_is_the_reference(scored, board):
    odd = scored(*told(answers(1), temperature=0.6))
    usual = {scored(*told(answers(seed))) for seed in (2, 3)}
    differs = {row.runs[0].id: row.cells[AVG].differs for row in board().rows}
    assert differs == {odd: ["temperature"], **{run_id: [] for run_id in usual}}


def test_runs_that_differ_in_their_seed_alone_are_one_row(scored, board):
    base = scored(*told(answers(9)), steps=7)
    by_seed = {seed: answers(seed) for seed in (1, 2, 3)}
    runs = [scored(*told(by_problem), seed=seed, name=f"s{seed}") for seed, by_problem in by_seed.items()]
    assert len(board().rows) == 4
    group, _ = board(seeds=True, baseline=base).rows
    cell = group.cells[AVG]
    means = [sum(map(sum, by_problem)) / 160 for by_problem in by_seed.values()]
    pooled = [[sum(sum(run[p]) for run in by_seed.values()) / 12] for p in range(40)]
    assert [run.id for run in group.runs] == runs[::-1]
    assert [row.seed for row in cell.members] == [3, 2, 1]
    assert cell.score == pytest.approx(sum(means) / 3, abs=1e-12)
    assert cell.spread == pytest.approx((sum((m - sum(means) / 3) ** 2 for m in means) / 2) ** 0.5, abs=1e-12)
    assert (cell.low, cell.high) == pytest.approx(cluster_bootstrap(pooled), abs=1e-12)
    against = [[sum(scores) / 4] for scores in answers(9)]
    delta = cell.delta
    assert (delta.delta, delta.low, delta.high) == pytest.approx(paired_delta(pooled, against), abs=1e-12)


def test_the_best_step_is_the_one_that_the_spec_keeps(scored, board):
    benchmarks = [{"name": "chains", "samples": 4, "data": {"format": "small_world"}}]
    keep = {"keep_best": {"benchmark": "chains", "metric": "avg@4"}}
    good, bad = answers(1, skill=0.8), answers(1, skill=0.1)
    events = [*told(bad, step=1), *told(good, step=3), *told(bad, step=5)]
    kept = scored(*events, evaluation={"benchmarks": benchmarks}, checkpoints=keep)
    free = scored(*events)
    steps = {
        at: {row.runs[0].id: row.cells[AVG].members[0].step for row in board(at=at).rows} for at in ("last", "best")
    }
    assert steps == {"last": {kept: 5, free: 5}, "best": {kept: 3, free: 5}}


def test_what_a_resume_took_back_is_off_the_board(any_engine, make_run, tmp_path, board):
    run_id = make_run(any_engine)
    score_run(any_engine, tmp_path / "r", run_id, *told(answers(1), step=2), *told(answers(2), step=4))
    with writing(any_engine) as session:
        move(session, run_id, State.queued, sources=frozenset({State.running}))
        lease = leases.claim(session, run_id, Worker("w2", "h", 0), 60)
    tell(tmp_path / "r", AttemptStarted(attempt=2, resumed_from_step=2, total_steps=5, pid=1))
    ingest(any_engine, lease, tmp_path / "r")
    (row,) = board().rows
    assert row.cells[AVG].members[0].step == 2


def test_rows_are_filtered_and_what_is_archived_is_gone(any_engine, scored, board):
    tagged = scored(*told(answers(1)), tags=["a"])
    other = scored(*told(answers(2), benchmark="facts"), method="grpo")
    gone = scored(*told(answers(3)))
    with writing(any_engine) as session:
        move(session, gone, State.cancelled, sources=frozenset({State.running}))
        removal.archive(session, gone)
    ids = lambda **wanted: [row.runs[0].id for row in board(**wanted).rows]  # noqa: E731
    assert ids() == [other, tagged]
    assert ids(runs=RunFilter(tag=("a",))) == [tagged]
    assert ids(runs=RunFilter(method="grpo")) == ids(benchmark=("facts",)) == ids(run=(other,)) == [other]


def test_pages_go_on_where_the_last_ended_in_either_order(scored, board):
    runs = [scored(*told(answers(1, skill=skill))) for skill in (0.2, 0.9, 0.5)]
    seen, cursor = [], None
    while True:
        page = board(limit=2, cursor=cursor)
        seen, cursor = seen + [row.runs[0].id for row in page.rows], page.next_cursor
        if cursor is None:
            break
    assert seen == runs[::-1]
    best = [row.runs[0].id for row in board(by_score=True, benchmark=("chains",)).rows]
    assert best == [runs[1], runs[2], runs[0]]
    with pytest.raises(CursorError):
        board(cursor="none")


def test_a_baseline_that_is_not_there_or_has_no_scores_is_not_found(any_engine, make_run, board):
    with pytest.raises(NotFoundError, match="no run"):
        board(baseline="run_none")
    with pytest.raises(NotFoundError, match="no scores"):
        board(baseline=make_run(any_engine))


def test_a_baseline_may_be_archived(any_engine, scored, board):
    base, other = scored(*told(answers(1))), scored(*told(answers(2)))
    with writing(any_engine) as session:
        move(session, base, State.cancelled, sources=frozenset({State.running}))
        removal.archive(session, base)
    found = board(baseline=base)
    assert [row.runs[0].id for row in found.rows] == [other]
    assert found.rows[0].cells[AVG].delta is not None


def test_counts_by_problem_are_not_among_the_events(any_engine, scored):
    scored(*told(answers(1)))
    with reading(any_engine) as session:
        data = session.scalar(select(EventRow.data).where(EventRow.type == "outcomes"))
        assert "right" not in json.dumps(data) and data["problems"] == "p1"
        assert len(session.scalars(select(BoardRow)).all()) == 2  # at its last and at its best step
