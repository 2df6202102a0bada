"""Every point, exactly, and each step once."""

import math

import pytest

from runs.db import reading, writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record import points
from runs.record.ingest import ingest
from runs.record.rollups import history
from trapo_core.events import AttemptStarted, EventWriter, StepDone


@pytest.fixture
def resumed(any_engine, make_run, tmp_path):
    """(engine, run id): steps 1 to 4, then from 2 on again, with values that are not finite."""
    run_id = make_run(any_engine)
    with writing(any_engine) as session:
        lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
    tell = EventWriter(tmp_path)
    tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=5, pid=1))
    for step in range(1, 5):
        tell(StepDone(step=step, seconds=1, metrics={"loss": 0.1 + step, 'odd,"key"': 1.0}))
    tell(AttemptStarted(attempt=2, resumed_from_step=2, total_steps=5, pid=1))
    for step, value in ((3, math.nan), (4, math.inf), (5, -math.inf)):
        tell(StepDone(step=step, seconds=1, metrics={"loss": value}))
    tell.close()
    ingest(any_engine, lease, tmp_path)
    return any_engine, run_id


def text(engine, run_id, keys=()):
    with reading(engine) as session:
        past, series = history(session, run_id), points.series_of(session, run_id, keys)
    return "".join(points.as_csv(engine, past, series))


def test_each_step_comes_once_and_as_it_is(resumed, monkeypatch):
    engine, run_id = resumed
    expected = "key,step,value\nloss,1,1.1\nloss,2,2.1\nloss,3,NaN\nloss,4,Infinity\nloss,5,-Infinity\n"
    assert text(engine, run_id, ["loss"]) == expected
    monkeypatch.setattr(points, "PAGE", 2)  # pages change nothing
    assert text(engine, run_id, ["loss"]) == expected


def test_all_series_come_by_key_if_none_is_named_and_odd_keys_are_quoted(resumed):
    lines = text(*resumed).splitlines()
    assert [line.rpartition(",")[0].rpartition(",")[0] for line in lines[1:]] == (
        ["loss"] * 5 + ['"odd,""key"""'] * 2 + ["time/step_s"] * 5
    )
    assert text(*resumed, ["none"]) == points.HEADER
