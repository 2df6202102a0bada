"""Guidance added up says what its steps say, whatever was resumed and however the lines came in."""

import random

import pytest
from sqlalchemy import delete, func, select

from runs.db import reading, writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record.guidance import Sum, add_up, read_guidance
from runs.record.ingest import ingest
from runs.record.rollups import WIDTHS
from runs.tables import GuidanceRollupRow
from trapo_core.events import AttemptStarted, EventWriter, GuidanceDone, PrefixLengths, SlotOutcome, StepDone


@pytest.fixture
def told(any_engine, make_run, tmp_path):
    """(engine, run id, {step: guided samples}): three attempts, resumed further back than where the one before ended,
    read in batches that may end between a step and its guidance; every 50th step tells none."""
    run_id = make_run(any_engine)
    with writing(any_engine) as session:
        lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
    dice, tell = random.Random(1), EventWriter(tmp_path)
    counts: dict[int, int] = {}
    for attempt, (begin, end) in enumerate(((0, 700), (513, 1100), (1099, 1300)), 1):
        tell(AttemptStarted(attempt=attempt, resumed_from_step=begin, total_steps=2000, pid=1))
        counts = {step: guided for step, guided in counts.items() if step <= begin}
        for step in range(begin + 1, end + 1):
            tell(StepDone(step=step, seconds=1, metrics={"guided/share": 0.5}))
            if dice.random() < 0.02:
                ingest(any_engine, lease, tmp_path)
            if step % 50:
                counts[step] = dice.randint(0, 9)
                tell(guidance(step, counts[step]))
        ingest(any_engine, lease, tmp_path)
    tell.close()
    return any_engine, run_id, counts


def guidance(step, guided):
    slot = SlotOutcome(
        slot=1, ratio=0.5, guided=guided, guided_reward=guided / 4, unguided=9 - guided, unguided_reward=1
    )
    return GuidanceDone(
        step=step, slots=[slot], prefix_lengths=PrefixLengths(bin_tokens=8, counts=[9 - guided, guided])
    )


def slot(guided):
    return {"slot": 0, "ratio": 0.2, "guided": guided, "guided_reward": 0.5, "unguided": 1, "unguided_reward": 1.0}


def part(step, guided, counts, rewards=None):
    return Sum(step, [slot(guided)], {"bin_tokens": 8, "counts": counts, "rewards": rewards})


def test_steps_are_added_so_nothing_is_lost():
    found = add_up([part(1, 2, [1]), part(2, 3, [0, 4])])
    assert found.step == 2
    assert (found.slots[0]["guided"], found.slots[0]["guided_reward"]) == (5, 1.0)
    assert found.prefix_lengths == {"bin_tokens": 8, "counts": [1, 4], "rewards": None}


def test_rewards_by_length_are_added_up_where_every_step_tells_them():
    parts = [part(1, 2, [1], [0.5]), part(2, 3, [0, 4], [0, 3.0]), part(3, 1, [2])]
    assert add_up(parts[:2]).prefix_lengths["rewards"] == [0.5, 3.0]
    assert add_up(parts).prefix_lengths["rewards"] is None


def test_a_run_that_told_nothing_has_none(any_engine, make_run):
    with reading(any_engine) as session:
        assert read_guidance(session, make_run(any_engine), 400) == (1, [])


ASKED = [(2000, 0, None), (400, 0, None), (60, 0, None), (7, 5, 1290), (2, 0, None), (30, 600, 899)]


def test_buckets_are_the_sums_of_their_steps(told):
    engine, run_id, counts = told
    for asked in ASKED:
        with reading(engine) as session:
            width, found = read_guidance(session, run_id, *asked)
        check_sums(width, found, counts, *asked)


def check_sums(width, found, counts, points, from_step, to_step):
    wanted = {step: guided for step, guided in counts.items() if from_step <= step <= (to_step or 2000)}
    assert len(found) <= points or width == 1
    assert found[-1].step == max(wanted)
    before = -1
    for one in found:
        steps = [step for step in wanted if before < step <= one.step]
        assert one.slots[0]["guided"] == sum(wanted[step] for step in steps)
        assert one.prefix_lengths["counts"] == [9 * len(steps) - one.slots[0]["guided"], one.slots[0]["guided"]]
        assert max(steps) - min(steps) < width
        before = one.step


def test_a_long_run_is_read_from_sums_and_the_same_without_them(told):
    engine, run_id, _ = told
    with reading(engine) as session:
        widths = dict(
            session.execute(select(GuidanceRollupRow.width, func.count()).group_by(GuidanceRollupRow.width)).all()
        )
        with_sums = read_guidance(session, run_id, 20)
    assert set(widths) == set(WIDTHS)
    assert widths[8] > 1300 // 8 - 30, "but for those whose last step told nothing"
    with writing(engine) as session:
        session.execute(delete(GuidanceRollupRow).where(GuidanceRollupRow.bucket % 2 == 0))
    with reading(engine) as session:
        assert read_guidance(session, run_id, 20) == with_sums
