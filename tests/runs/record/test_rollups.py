"""Roll-ups say what the points that count say, whatever was resumed and however the lines came in."""

import math
import random

import pytest
from sqlalchemy import select

from runs import migrate
from runs.db import reading, writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record import curves
from runs.record.ingest import ingest
from runs.record.rollups import WIDTHS
from runs.tables import RollupRow, SeriesRow
from trapo_core.events import AttemptStarted, EventWriter, StepDone

KEY = "reward/unguided"


@pytest.fixture
def told(any_engine, make_run, tmp_path):
    """(engine, run id, what counts as {step: value}): four attempts, each resumed further back than where the one
    before ended, read in batches of any size."""
    run_id = make_run(any_engine)
    with writing(any_engine) as session:
        lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
    dice = random.Random(1)
    counts: dict[int, float] = {}
    tell = EventWriter(tmp_path)
    for attempt, (begin, end) in enumerate(((0, 700), (650, 655), (513, 1400), (1399, 1700)), 1):
        tell(AttemptStarted(attempt=attempt, resumed_from_step=begin, total_steps=2000, pid=1))
        counts = {step: value for step, value in counts.items() if step <= begin}
        step = begin
        while step < end:
            for step in range(step + 1, min(end, step + dice.randint(1, 250)) + 1):  # noqa: B020
                counts[step] = dice.choice([dice.gauss(0, 1)] * 99 + [math.nan, math.inf, -math.inf])
                tell(StepDone(step=step, seconds=1, metrics={KEY: counts[step]}))
            ingest(any_engine, lease, tmp_path)
    tell.close()
    return any_engine, run_id, counts


def by_bucket(counts, width, end):
    found = {}
    for step, value in counts.items():
        if step // width < end:
            found.setdefault(step // width, []).append(value)
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_every_complete_bucket_is_rolled_up_once_from_what_counts(told, width):
    engine, run_id, counts = told
    series = select(SeriesRow.id).where(SeriesRow.run_id == run_id, SeriesRow.key == KEY).scalar_subquery()
    with reading(engine) as session:
        rows = session.scalars(select(RollupRow).where(RollupRow.series_id == series, RollupRow.width == width)).all()
    wanted = by_bucket(counts, width, (1700 + 1) // width)
    assert {row.bucket: row.points for row in rows} == {bucket: len(values) for bucket, values in wanted.items()}
    for row in rows:
        finite = [value for value in wanted[row.bucket] if math.isfinite(value)]
        assert (row.low, row.high) == (min(finite), max(finite))
        assert row.total == pytest.approx(sum(finite))
        assert row.nan == any(map(math.isnan, wanted[row.bucket]))
        assert row.high_inf == (math.inf in wanted[row.bucket])


@pytest.mark.parametrize(
    ("points", "from_step", "to_step"), [(200, 0, None), (20, 3, 1650), (3, 0, None), (40, 511, 699)]
)
def test_a_chart_shows_each_extreme_and_each_nan_of_what_counts(told, points, from_step, to_step):
    engine, run_id, counts = told
    with reading(engine) as session:
        curve = curves.read_curve(session, run_id, KEY, points, from_step, to_step)
    shown = [value for step, value in counts.items() if from_step <= step <= (to_step or 1700)]
    known = [value for value in shown if not math.isnan(value)]
    assert len(curve.steps) <= points
    assert curve.steps == sorted(set(curve.steps))
    assert curve.steps[-1] == (to_step or 1700)
    assert (min(curve.min), max(curve.max)) == (min(known), max(known))
    assert any(map(math.isnan, curve.mean)) == any(map(math.isnan, shown))


def test_the_catalogue_counts_each_step_once(told):
    engine, run_id, counts = told
    with reading(engine) as session:
        infos = curves.catalogue(session, run_id)
    found = [(info.key, info.points, info.last_step) for info in infos]
    assert found == [(KEY, 1700, 1700), ("time/step_s", 1700, 1700)]
    assert infos[0].last_value == pytest.approx(counts[1700], nan_ok=True)


def test_a_migration_rolls_up_the_points_that_are_there(told):
    engine, _, _ = told

    def rows():
        with reading(engine) as session:
            columns = [column for column in RollupRow.__table__.columns if column.key != "total"]
            return session.execute(select(*columns).order_by(*RollupRow.__table__.primary_key)).all()

    before = rows()
    migrate.downgrade(engine, "0001")
    migrate.upgrade(engine)
    assert rows() == before
