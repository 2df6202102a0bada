"""Smoothing looks back over all steps, exactly for a short curve, over roll-ups for a long one."""

import math
import random

import pytest

from runs.db import reading, writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record import curves
from runs.record.ingest import ingest
from trapo_core.events import AttemptStarted, EventWriter, StepDone

KEY = "reward/unguided"


@pytest.fixture
def tell(any_engine, make_run, tmp_path):
    """Tells attempts of (resumed from, values); the run's id."""

    def told(*attempts):
        run_id = make_run(any_engine)
        with writing(any_engine) as session:
            lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
        writer = EventWriter(tmp_path)
        for number, (begin, values) in enumerate(attempts, 1):
            writer(AttemptStarted(attempt=number, resumed_from_step=begin, total_steps=9999, pid=1))
            for step, value in enumerate(values, begin + 1):
                writer(StepDone(step=step, seconds=1, metrics={KEY: value}))
        writer.close()
        ingest(any_engine, lease, tmp_path)
        return run_id

    return told


def read(engine, run_id, smooth, points=1000, from_step=0, to_step=None):
    with reading(engine) as session:
        return curves.read_curves(session, [run_id], [KEY], points, from_step, to_step, smooth)[0]


def by_hand(values, smooth):
    means = []
    for end in range(1, len(values) + 1):
        known = [value for value in values[max(0, end - smooth) : end] if math.isfinite(value)]
        means.append(sum(known) / len(known) if known and math.isfinite(values[end - 1]) else math.nan)
    return means


def test_a_short_curve_is_exact_and_broken_values_do_not_spread(any_engine, tell):
    values = [1.0, 2.0, math.nan, 4.0, math.inf, -math.inf, 7.0, 1e20, 1.0, 2.0, 3.0]
    curve = read(any_engine, tell((0, values)), smooth=3)
    assert curve.steps == list(range(1, 12))
    assert curve.mean == pytest.approx(by_hand(values, 3), nan_ok=True)
    assert curve.mean[-1] == pytest.approx(2.0), "a spike that has left the window is gone"
    assert curve.min == pytest.approx(curve.max, nan_ok=True)


def test_a_part_is_smoothed_with_the_steps_before_it(any_engine, tell):
    values = [float(step) for step in range(50)]
    curve = read(any_engine, tell((0, values)), smooth=10, from_step=30, to_step=32)
    assert curve.steps == [30, 31, 32]
    assert curve.mean == pytest.approx(by_hand(values, 10)[29:32])


def test_what_a_resume_superseded_is_not_in_the_mean(any_engine, tell):
    run_id = tell((0, [1.0] * 20 + [900.0] * 20), (20, [1.0] * 20))
    assert read(any_engine, run_id, smooth=10).mean == pytest.approx([1.0] * 40)


@pytest.mark.parametrize("smooth", [16, 64, 200])
def test_a_long_curve_is_smoothed_over_its_roll_ups(any_engine, tell, smooth):
    dice = random.Random(3)
    values = [dice.choice([math.sin(step / 300) + dice.gauss(0, 0.3)] * 99 + [math.nan]) for step in range(3000)]
    curve = read(any_engine, tell((0, values)), smooth, points=200)
    wanted = by_hand(values, smooth)
    assert len(curve.steps) <= 200
    assert not any(map(math.isnan, curve.mean)), "a NaN does not take its bucket"
    for step, low, high, mean in zip(curve.steps, curve.min, curve.max, curve.mean, strict=True):
        assert low <= mean <= high
        bucket = [value for value in wanted[max(0, step - 15) : step] if not math.isnan(value)]
        assert mean == pytest.approx(sum(bucket) / len(bucket), abs=0.35 / math.sqrt(smooth) * 2)


def test_a_window_without_a_number_is_not_a_number(any_engine, tell):
    assert all(map(math.isnan, read(any_engine, tell((0, [math.nan] * 5)), smooth=3).mean))


def test_a_run_without_steps_has_an_empty_curve(any_engine, make_run):
    assert read(any_engine, make_run(any_engine), smooth=3).steps == []
