"""Revision 0006 with data, on both engines."""

import pytest

from runs.db import reading
from runs.migrate import downgrade, upgrade
from runs.scores.standings import BoardFilter, read_board
from tests.runs.board_world import answers, score_run, told


@pytest.mark.parametrize("keep", [None, {"benchmark": "chains", "metric": "avg@4"}])
def test_scores_of_before_are_on_the_board_and_say_that_their_setting_is_unknown(any_engine, make_run, tmp_path, keep):
    evaluation = {"benchmarks": [{"name": "chains", "samples": 4, "data": {"format": "small_world"}}]}
    run_id = make_run(any_engine, evaluation=evaluation, checkpoints={"keep_best": keep})
    good, bad = answers(1, skill=0.9), answers(1, skill=0.1)
    score_run(any_engine, tmp_path, run_id, *told(good, step=2), *told(bad, step=4))
    before = shown(any_engine)
    downgrade(any_engine, "0005")
    upgrade(any_engine)
    after = shown(any_engine)
    assert after == {at: (*facts[:-1], ["setting"]) for at, facts in before.items()}


def shown(engine):
    with reading(engine) as session:
        found = {at: read_board(session, BoardFilter(at=at), 10) for at in ("last", "best")}
    cells = {at: board.rows[0].cells["chains", "avg@4"] for at, board in found.items()}
    return {
        at: (cell.members[0].step, cell.score, cell.low, cell.high, cell.members[0].spec_digest, cell.differs)
        for at, cell in cells.items()
    }
