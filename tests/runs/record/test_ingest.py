"""From the events file to rows: exactly once, one history, and on through anything."""

import math

import pytest
from sqlalchemy import func, select

from runs.db import reading, writing
from runs.errors import LeaseLostError
from runs.life import leases
from runs.life.leases import Worker
from runs.record import curves
from runs.record.guidance import read_guidance
from runs.record.ingest import ingest, read_batch
from runs.settings import Settings
from runs.states import State
from runs.tables import EventRow, PointRow, ProblemRow, RunRow
from trapo_core.events import (
    AttemptStarted,
    BenchmarkScore,
    CheckpointSaved,
    Ended,
    EventWriter,
    GuidanceDone,
    Message,
    PrefixLengths,
    ProblemOutcomes,
    Progress,
    SlotOutcome,
    StepDone,
)

WORKER = Worker("wkr_1", "host-1", 0)


@pytest.fixture
def claimed(any_engine, make_run, tmp_path):
    """(engine, lease, run dir) of a run in its first attempt."""
    benchmarks = {"benchmarks": [{"name": "b", "data": {"format": "small_world"}}]}
    run_id = make_run(any_engine, evaluation=benchmarks)
    run_dir = tmp_path / run_id
    run_dir.mkdir()
    return any_engine, take(any_engine, run_id), run_dir


def take(engine, run_id):
    with writing(engine) as session:
        return leases.claim(session, run_id, WORKER, 30)


def started(attempt, resumed_from_step=0):
    return AttemptStarted(attempt=attempt, resumed_from_step=resumed_from_step, total_steps=10, pid=1)


def step(number, reward, **metrics):
    return StepDone(step=number, seconds=2.0, metrics={"reward/unguided": reward, **metrics})


def score(number, value):
    return BenchmarkScore(
        step=number, benchmark="b", metric="avg@1", score=value, low=0, high=1, confidence=0.95, interval="wilson",
        problems=9, samples=1,
    )  # fmt: skip


def tell(run_dir, *events):
    writer = EventWriter(run_dir)
    for event in events:
        writer(event)
    writer.close()


def count(engine, column):
    with reading(engine) as session:
        return session.scalar(select(func.count(column)))


def curve(engine, run_id, key="reward/unguided", points=100):
    with reading(engine) as session:
        return curves.read_curve(session, run_id, key, points)


def test_what_a_process_tells_becomes_rows_and_the_runs_summary(claimed, read_run):
    engine, lease, run_dir = claimed
    slot = SlotOutcome(slot=1, ratio=0.2, guided=2, guided_reward=1.0, unguided=0, unguided_reward=0.0)
    guidance = GuidanceDone(step=1, slots=[slot], prefix_lengths=PrefixLengths(bin_tokens=8, counts=[1, 2]))
    saved = CheckpointSaved(step=2, path="checkpoints/2", bytes=5, sha256="ab")
    tell(run_dir, started(1), step(1, 0.25), guidance, step(2, 0.75), saved, score(2, 0.5))
    assert ingest(engine, lease, run_dir) is None
    run = read_run(engine, lease.run_id)
    assert (run.state, run.step, run.total_steps) == ("running", 2, 10)
    assert run.progress == {"stage": "training", "done": 2, "total": 10, "eta_s": 16.0}
    assert run.summary == {"reward_unguided": 0.5, "guided_share": None, "sparkline": [0.25, 0.75], "score": 0.5}
    with reading(engine) as session:
        assert [row.step for row in curves.checkpoints(session, run.id)] == [2]
        assert [row.score for row in curves.scores(session, run.id)] == [0.5]
        assert read_guidance(session, run.id, 10)[1][0].slots == [slot.model_dump()]
        assert session.scalars(select(EventRow.type).where(EventRow.file_offset == 0)).all() == ["attempt_started"]


def test_a_nul_in_what_a_process_tells_is_stored_as_the_replacement_character(claimed, read_run):
    engine, lease, run_dir = claimed
    outcomes = ProblemOutcomes(samples=[1], ids=["p"], ratios=[[0.0]], rewards=[[1.0]], texts={"p": "2\0+ 2"})
    guidance = GuidanceDone(
        step=1, slots=[], prefix_lengths=PrefixLengths(bin_tokens=8, counts=[1]), problems=outcomes
    )  # fmt: skip
    text = "\0\0 \\\0, but \\u0000 as it is"
    tell(run_dir, started(1), step(1, 0.5, **{"a\0b": 1.0}), guidance, Message(level="info", text=text))
    with (run_dir / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "\\u0000"}\n{"type": "message", "level": "info", "text": "half a pair: \\ud800"}\n')
    ingest(engine, lease, run_dir)
    with writing(engine) as session:
        told = [row.data["text"] for row in session.scalars(select(EventRow).where(EventRow.type == "message"))]
        assert session.scalar(select(ProblemRow.text)) == "2\ufffd+ 2"
        leases.finish(session, lease, Settings(_env_file=None), reason="exit_nonzero", message="\0 and \udcff")
    assert told[0] == "\ufffd\ufffd \\\ufffd, but \\u0000 as it is"
    assert all("cannot be understood" in text for text in told[1:])
    assert curve(engine, lease.run_id, "a\ufffdb").mean == [1.0]
    assert read_run(engine, lease.run_id).message == "\ufffd and ?"


def test_any_words_of_a_process_are_stored_as_they_are(claimed):
    engine, lease, run_dir = claimed
    odd = '{"a": "\\"} ,\n\t\r\x01\x7f NULL \\n \u2028 Übung 𝛼 '
    tell(run_dir, *(Message(level="info", text=text) for text in (odd, "null", "")))
    ingest(engine, lease, run_dir)
    with reading(engine) as session:
        found = session.scalars(select(EventRow).where(EventRow.type == "message").order_by(EventRow.seq))
        assert [row.data["text"] for row in found] == [odd, "null", ""]


def test_reading_again_adds_nothing(claimed):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1), step(1, 0.5))
    ingest(engine, lease, run_dir)
    before = count(engine, EventRow.seq), count(engine, PointRow.step)
    ingest(engine, lease, run_dir)
    assert (count(engine, EventRow.seq), count(engine, PointRow.step)) == before


def test_points_that_are_there_already_stay_and_new_ones_beside_them_come(claimed):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1), step(1, 0.25))
    ingest(engine, lease, run_dir)
    tell(run_dir, step(1, 0.75), step(2, 0.5))
    ingest(engine, lease, run_dir)
    assert curve(engine, lease.run_id).mean == [0.25, 0.5]


def test_half_a_line_waits_until_it_is_whole(claimed, read_run):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1))
    line = step(1, 0.5).model_dump_json().encode() + b"\n"
    with (run_dir / "events.jsonl").open("ab") as file:
        file.write(line[:20])
        file.flush()
        ingest(engine, lease, run_dir)
        assert read_run(engine, lease.run_id).step == 0
        file.write(line[20:])
    ingest(engine, lease, run_dir)
    assert read_run(engine, lease.run_id).step == 1


def test_a_file_of_many_readings_arrives_whole(claimed, read_run):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1), *(step(n, 0.5, **{"x" * 100 + str(k): 0.0 for k in range(9)}) for n in range(1, 1500)))
    assert (run_dir / "events.jsonl").stat().st_size > 1 << 20
    ingest(engine, lease, run_dir)
    assert curve(engine, lease.run_id, points=5000).steps == list(range(1, 1500))


def test_after_a_resume_each_step_shows_once_with_the_later_value(claimed, read_run):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1), *(step(n, 1.0) for n in range(1, 8)), score(0, 0.1), score(6, 0.2))
    ingest(engine, lease, run_dir)
    tell(run_dir, started(2, resumed_from_step=5))
    ingest(engine, lease, run_dir)
    run = read_run(engine, lease.run_id)
    assert (run.score, run.summary["score"]) == (0.1, 0.1), "that of step 6 is void"
    tell(run_dir, *(step(n, 2.0) for n in range(6, 10)), score(6, 0.3))
    ingest(engine, lease, run_dir)
    found = curve(engine, lease.run_id)
    assert found.steps == list(range(1, 10))
    assert found.mean == [1.0] * 5 + [2.0] * 4
    with reading(engine) as session:
        assert [(row.step, row.score) for row in curves.scores(session, lease.run_id)] == [(0, 0.1), (6, 0.3)]
        info = {info.key: info for info in curves.catalogue(session, lease.run_id)}
    assert (info["reward/unguided"].points, info["reward/unguided"].last_step) == (9, 9)
    assert count(engine, PointRow.step) == 2 * (7 + 4), "superseded points are kept"


def test_a_resume_from_further_back_than_the_last_one_hides_both(claimed):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1), *(step(n, 1.0) for n in range(1, 6)))
    tell(run_dir, started(2, resumed_from_step=4), *(step(n, 2.0) for n in range(5, 8)))
    tell(run_dir, started(3, resumed_from_step=2), step(3, 3.0))
    ingest(engine, lease, run_dir)
    assert curve(engine, lease.run_id).mean == [1.0, 1.0, 3.0]


def test_an_evaluation_that_starts_again_replaces_its_scores(claimed):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1, -1), score(0, 0.1), started(2, -1), score(0, 0.9))
    ingest(engine, lease, run_dir)
    with reading(engine) as session:
        assert [row.score for row in curves.scores(session, lease.run_id)] == [0.9]
        assert session.get_one(RunRow, lease.run_id).step == 0


def test_lines_left_by_a_dead_attempt_are_read_by_the_next_one(claimed, read_run, settings):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1), step(1, 0.5))
    with writing(engine) as session:
        leases.finish(session, lease, settings, reason="worker_stopped")
    second = take(engine, lease.run_id)
    ingest(engine, second, run_dir)
    run = read_run(engine, lease.run_id)
    assert (run.state, run.step) == ("starting", 1), "the second attempt's own process has not spoken"
    tell(run_dir, started(2))
    ingest(engine, second, run_dir)
    assert read_run(engine, lease.run_id).state == "running"


def test_whoever_lost_the_lease_stores_nothing(claimed, settings):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1))
    with writing(engine) as session:
        leases.finish(session, lease, settings, reason="worker_lost")
    before = count(engine, EventRow.seq)
    with pytest.raises(LeaseLostError):
        ingest(engine, lease, run_dir)
    assert count(engine, EventRow.seq) == before


def test_a_line_that_cannot_be_understood_is_told_and_passed(claimed, read_run):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1))
    with (run_dir / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "step", "step": "many"}\nnot json at all\n{"type":"from_the_future"}\n')
    tell(run_dir, step(1, 0.5))
    ingest(engine, lease, run_dir)
    assert read_run(engine, lease.run_id).step == 1
    with reading(engine) as session:
        told = session.scalars(select(EventRow).where(EventRow.type == "message")).all()
    assert len(told) == 3
    assert all("cannot be understood" in event.data["text"] for event in told)


def test_a_checkpoint_gives_the_retry_budget_back(claimed, read_run, settings):
    engine, lease, run_dir = claimed
    with writing(engine) as session:
        session.get_one(RunRow, lease.run_id).stalls = 4
    tell(run_dir, started(1), CheckpointSaved(step=1, path="c", bytes=1, sha256="ab"))
    ingest(engine, lease, run_dir)
    with writing(engine) as session:
        assert leases.finish(session, lease, settings, reason="killed_signal").state is State.queued
    assert read_run(engine, lease.run_id).stalls == 1


def test_the_goodbye_is_handed_to_the_supervisor(claimed):
    engine, lease, run_dir = claimed
    tell(run_dir, started(1), Ended(outcome="failed", step=0, reason="nan_loss"))
    ended = ingest(engine, lease, run_dir)
    assert ended is not None and ended.reason == "nan_loss"


def test_values_that_are_not_finite_come_back_as_they_were(claimed):
    engine, lease, run_dir = claimed
    values = [math.nan, math.inf, -math.inf, 1.5]
    tell(run_dir, started(1), *(step(n, value) for n, value in enumerate(values, 1)))
    ingest(engine, lease, run_dir)
    found = curve(engine, lease.run_id).mean
    assert math.isnan(found[0])
    assert found[1:] == values[1:]


def test_a_long_curve_keeps_every_spike_and_every_nan(claimed):
    engine, lease, run_dir = claimed
    rewards = {700: 99.0, 1301: -99.0, 1900: math.nan}
    tell(run_dir, started(1), *(step(n, rewards.get(n, 0.5)) for n in range(1, 2001)))
    ingest(engine, lease, run_dir)
    found = curve(engine, lease.run_id, points=50)
    assert len(found.steps) == 50
    assert found.steps[-1] == 2000
    assert max(found.max) == 99.0
    assert min(found.min) == -99.0
    assert [step for step, mean in zip(found.steps, found.mean, strict=True) if math.isnan(mean)] == [1919]


def test_preparation_shows_until_the_first_step():
    batch = read_batch([(0, Progress(stage="base model", done=1, total=520).model_dump_json().encode(), 10)], segment=1)
    assert batch.run["progress"] == {"stage": "base model", "done": 1, "total": 520, "eta_s": None}
