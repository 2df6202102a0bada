"""Revision 0010 with data, on both engines."""

from sqlalchemy import select

from runs.db import reading, writing
from runs.migrate import downgrade, upgrade
from runs.record.rollups import history, roll_up
from runs.tables import PointRow, RollupRow, RunRow, SegmentRow, SeriesRow


def test_roll_ups_of_other_widths_are_written_for_the_points_that_are_there(any_engine, make_run):
    run_id = make_run(any_engine)
    with writing(any_engine) as session:
        session.get_one(RunRow, run_id).step = 700
        session.add(SegmentRow(run_id=run_id, segment=1, first_step=1))
        series = SeriesRow(run_id=run_id, key="reward")
        session.add(series)
        session.flush()
        odd = {5: 1, 300: 2}
        session.add_all(
            PointRow(series_id=series.id, segment=1, step=step, value=None if step in odd else step % 97,
                     flag=odd.get(step, 0))
            for step in range(1, 701)
        )  # fmt: skip
        session.flush()
        roll_up(session, history(session, run_id), 0)
    before = cells(any_engine)
    assert {width for width, *_ in before} == {8, 32, 128, 512}
    downgrade(any_engine, "0009")
    assert {width for width, *_ in cells(any_engine)} == {8, 64, 512}
    upgrade(any_engine)
    assert cells(any_engine) == before


def cells(engine):
    row = RollupRow
    columns = (row.width, row.bucket, row.last_step, row.points, row.low, row.high, row.total, row.nan, row.high_inf)
    with reading(engine) as session:
        return [tuple(found) for found in session.execute(select(*columns).order_by(row.width, row.bucket))]
