"""What problems need, and how likely the expert was: told once, counted once, on both engines."""

import json
import random

import pytest

from runs import cursors
from runs.db import reading, writing
from runs.errors import CursorError
from runs.life import leases
from runs.life.leases import Worker
from runs.record import problems
from runs.record.guidance import read_guidance
from runs.record.ingest import ingest
from runs.record.problems import visit_alone, visit_help, went_on
from runs.record.trust_region import trust_region
from runs.tables import EventRow, ProblemRow
from trapo_core.events import (
    AttemptStarted,
    EventWriter,
    ExpertTokens,
    GuidanceDone,
    PrefixLengths,
    ProblemOutcomes,
    SlotOutcome,
)
from trapo_core.expert_bins import P_BINS

SAMPLES = [4, 2, 1, 1]
NAMES = ["chain-1", "chain-2", "chain_3", "sum-4"]


def test_help_is_the_share_of_the_trace_that_a_sample_is_expected_to_need():
    assert visit_help(SAMPLES, [0, 0, 0, 0], [4, 2, 1, 1]) == 0
    assert visit_help(SAMPLES, [0, 0.2, 0.5, 1], [0, 0, 0, 0]) == pytest.approx(1)
    assert visit_help(SAMPLES, [0, 0.2, 0.5, 1], [0, 0, 0, 1]) == pytest.approx(1), "the whole trace helped too late"
    assert visit_help(SAMPLES, [0, 0.2, 0.5, 1], [0, 2, 1, 1]) == pytest.approx(0.2)
    assert visit_help(SAMPLES, [0, 0, 0.5, 1], [2, 1, 1, 1]) == pytest.approx(0.25), "half alone, all with half"
    assert visit_help([8], [0.0], [2]) == pytest.approx(0.75), "plain RL: the failure rate"
    assert visit_help([4], [0.5], [1]) == pytest.approx(0.75), "nothing is known below the shortest prefix"
    assert visit_alone(SAMPLES, [0, 0, 0.5, 1], [2, 1, 1, 1]) == pytest.approx(0.5)
    assert visit_alone([4], [0.5], [1]) is None


def test_of_late_a_visit_weighs_as_much_as_all_before_it():
    def visit(step, right):
        return {"step": step, "samples": [4], "ratios": [0.0], "rewards": [right]}

    first = went_on(None, visit(1, 0))
    second = went_on(first, visit(5, 4))
    assert (first["help"], second["help"], second["alone"]) == (1, 0.5, 0.5)
    assert went_on(second, visit(9, 4)) == {"visits": 3, "last_step": 9, "help": 0.25, "alone": 0.75}


@pytest.fixture
def claimed(any_engine, make_run, tmp_path):
    run_id = make_run(any_engine)
    (tmp_path / run_id).mkdir()
    return any_engine, take(any_engine, run_id), tmp_path / run_id


def take(engine, run_id):
    with writing(engine) as session:
        return leases.claim(session, run_id, Worker("wkr_1", "host-1", 0), 30)


def guidance(step, rewards=None, names=("chain-1", "chain-2"), texts=None, seed=0):
    """A step whose groups got these rewards by slot; drawn where none are given."""
    rng = random.Random(f"{step}-{seed}")
    rewards = rewards or [[rng.randint(0, n) for n in SAMPLES] for _ in names]
    ratios = [[0.0, 0.2, 0.5, 1.0] if sum(by_slot) < 4 else [0.0] * 4 for by_slot in rewards]
    slots = []
    for slot, ratio in enumerate((0.0, 0.2, 0.5, 1.0)):
        guided = [by_slot[slot] for by_slot, given in zip(rewards, ratios, strict=True) if given[slot]]
        alone = [by_slot[slot] for by_slot, given in zip(rewards, ratios, strict=True) if not given[slot]]
        n = SAMPLES[slot]
        slots.append(
            SlotOutcome(
                slot=slot, ratio=ratio, guided=n * len(guided), guided_reward=sum(guided), unguided=n * len(alone),
                unguided_reward=sum(alone),
            )
        )  # fmt: skip
    return GuidanceDone(
        step=step,
        slots=slots,
        prefix_lengths=PrefixLengths(bin_tokens=8, counts=[8], rewards=[1.0]),
        problems=ProblemOutcomes(
            samples=SAMPLES, ids=list(names), ratios=ratios, rewards=rewards, texts=texts or {}
        ),
        expert_tokens=ExpertTokens(alpha=0.1, counts=[[step] * P_BINS, [1] * P_BINS], inside=[3 * step, 0]),
    )  # fmt: skip


def started(attempt, resumed_from_step=0):
    return AttemptStarted(attempt=attempt, resumed_from_step=resumed_from_step, total_steps=10, pid=1)


def tell(claimed, *events):
    engine, lease, run_dir = claimed
    writer = EventWriter(run_dir)
    for event in events:
        writer(event)
    writer.close()
    ingest(engine, lease, run_dir)


def page(claimed, **asked):
    usual = {"contains": None, "sort": "-help", "limit": 50, "cursor": None, "visits": 100}
    with reading(claimed[0]) as session:
        return problems.page(session, claimed[1].run_id, **(usual | asked))


def by_name(claimed):
    return {row["problem"]: row for row in page(claimed).data}


def test_problems_are_ranked_by_the_help_they_need(claimed):
    hard, easy = [0, 0, 0, 1], [4, 2, 1, 1]
    tell(claimed, started(1), guidance(1, [hard, easy], texts={"chain-1": "7 + 5?", "chain-2": "<b>2</b>"}))
    found = page(claimed)
    assert [(row["problem"], row["text"], row["help"], row["alone"]) for row in found.data] == [
        ("chain-1", "7 + 5?", pytest.approx(1), 0), ("chain-2", "<b>2</b>", 0, 1)
    ]  # fmt: skip
    assert found.data[0]["history"] == [
        {"step": 1, "samples": SAMPLES, "ratios": [0.0, 0.2, 0.5, 1.0], "rewards": [0.0, 0.0, 0.0, 1.0]}
    ]
    assert found.shares == [1, *[0] * 8, 1]
    tell(claimed, guidance(2, [easy, hard]), guidance(3, [easy, hard]))
    assert [row["problem"] for row in page(claimed).data] == ["chain-2", "chain-1"]
    assert by_name(claimed)["chain-1"]["help"] == pytest.approx(0.25)
    assert by_name(claimed)["chain-1"]["text"] == "7 + 5?"


def test_sums_over_problems_are_the_slots_of_the_guidance_event(claimed):
    tell(claimed, started(1), *(guidance(step, names=NAMES) for step in range(1, 30)))
    tell_again = [guidance(step, names=NAMES, seed=1) for step in range(21, 40)]
    tell(claimed, started(2, resumed_from_step=20), *tell_again)
    counted = {}
    for row in page(claimed).data:
        for visit in row["history"]:
            for slot, (n, ratio, reward) in enumerate(
                zip(visit["samples"], visit["ratios"], visit["rewards"], strict=True)
            ):
                sums = counted.setdefault((visit["step"], slot), [0, 0, 0, 0])
                at = 0 if ratio else 2
                sums[at] += n
                sums[at + 1] += reward
    with reading(claimed[0]) as session:
        _, rows = read_guidance(session, claimed[1].run_id, 100)
    told = {
        (row.step, slot["slot"]): [slot[key] for key in ("guided", "guided_reward", "unguided", "unguided_reward")]
        for row in rows
        for slot in row.slots
    }
    assert len(rows) == 39
    assert counted == told


def test_a_resume_makes_visits_void_and_the_rest_is_as_if_told_in_one_go(claimed, make_run, tmp_path):
    first = [guidance(step, names=NAMES[step % 2 : step % 2 + 2]) for step in range(1, 9)]
    later = [guidance(step, names=NAMES[:2], seed=1) for step in range(5, 12)]
    texts = {name: f"What is {name}?" for name in NAMES}
    tell(claimed, started(1), first[0].model_copy(update={"problems": _with(first[0], texts)}), *first[1:])
    tell(claimed, guidance(9, names=["only-void"]))
    assert "only-void" in by_name(claimed)
    tell(claimed, started(2, resumed_from_step=4), *later)
    run_id = make_run(claimed[0])
    (tmp_path / run_id).mkdir()
    straight = claimed[0], take(claimed[0], run_id), tmp_path / run_id
    tell(straight, started(1), first[0].model_copy(update={"problems": _with(first[0], texts)}), *first[1:4], *later)
    assert page(claimed) == page(straight)
    assert "only-void" not in by_name(claimed)


def _with(event, texts):
    return event.problems.model_copy(update={"texts": texts})


def test_a_resume_in_the_midst_of_what_is_read_at_once_counts_the_same(claimed):
    hard, easy = [0, 0, 0, 0], [4, 2, 1, 1]
    tell(
        claimed,
        started(1),
        guidance(1, [hard, easy]),
        guidance(2, [hard, easy]),
        started(2, 1),
        guidance(2, [easy, easy]),
    )
    assert by_name(claimed)["chain-1"]["visits"] == 2
    assert by_name(claimed)["chain-1"]["help"] == pytest.approx(0.5)


def test_a_problem_twice_in_a_step_is_two_visits(claimed):
    tell(claimed, started(1), guidance(1, names=["chain-1", "chain-1"]))
    assert by_name(claimed)["chain-1"]["visits"] == len(by_name(claimed)["chain-1"]["history"]) == 2


@pytest.mark.parametrize("sort", ["-help", "help", "visits", "-last_step", "problem", "-problem"])
def test_pages_have_every_problem_once(claimed, sort):
    names = [f"p-{n:02}" for n in range(23)]
    tell(claimed, started(1), guidance(1, names=names), guidance(2, names=names[:7]))
    whole = [row["problem"] for row in page(claimed, sort=sort).data]
    found, cursor = [], None
    while True:
        part = page(claimed, sort=sort, limit=5, cursor=cursor)
        found += [row["problem"] for row in part.data]
        if not (cursor := part.next_cursor):
            break
    assert found == whole
    assert sorted(whole) == names


def test_problems_are_found_by_id_and_text_whatever_the_case(claimed):
    tell(claimed, started(1), guidance(1, names=NAMES, texts={"chain-1": "How MANY %?"}))
    for contains, names in (("many %", ["chain-1"]), ("_", ["chain_3"]), ("CHAIN", NAMES[:3]), ("nobody", [])):
        assert sorted(row["problem"] for row in page(claimed, contains=contains).data) == names


def test_a_cursor_of_another_sort_or_of_nobody_is_refused(claimed):
    tell(claimed, started(1), guidance(1, names=NAMES))
    cursor = page(claimed, limit=1).next_cursor
    far = {"sort": "visits", "cursor": cursors.write("visits", 2**31, "chain-1")}
    lone = {"sort": "problem", "cursor": cursors.write("problem", "\ud800", "chain-1")}
    for wrong in ({"cursor": cursor, "sort": "help"}, {"cursor": "???"}, far, lone):
        with pytest.raises(CursorError):
            page(claimed, **wrong)


def test_the_bulk_stays_out_of_the_stream_and_old_lines_are_still_read(claimed):
    engine, _, run_dir = claimed
    old = {"type": "guidance", "step": 1, "slots": [], "prefix_lengths": {"bin_tokens": 8, "counts": [1]}}
    (run_dir / "events.jsonl").write_text(json.dumps({**old, "ts": "2026-01-01T00:00:00Z", "step": 1}).join(["", "\n"]))
    tell(claimed, guidance(2))
    with reading(engine) as session:
        data = [row.data for row in session.query(EventRow).filter_by(type="guidance").order_by(EventRow.seq)]
        assert session.query(ProblemRow).count() == 2
    assert [sorted(row) for row in data] == [["prefix_lengths", "slots", "step"]] * 2


def test_an_outcome_of_unequal_lengths_is_no_event():
    with pytest.raises(ValueError, match="one entry a slot"):
        ProblemOutcomes(samples=[4, 2], ids=["p"], ratios=[[0.0]], rewards=[[1.0]])
    with pytest.raises(ValueError, match="differ in length"):
        ProblemOutcomes(samples=[4], ids=["p"], ratios=[], rewards=[])


def region(claimed, from_step=0, to_step=None):
    with reading(claimed[0]) as session:
        return trust_region(session, claimed[1].run_id, from_step, to_step)


def test_the_trust_region_adds_up_the_steps_that_count(claimed):
    assert region(claimed).alpha is None
    tell(claimed, started(1), *(guidance(step) for step in range(1, 9)))
    tell(claimed, started(2, resumed_from_step=4), *(guidance(step) for step in range(5, 7)))
    found = region(claimed)
    assert (found.alpha, found.steps, found.steps_told, found.from_step, found.to_step) == (0.1, 6, 6, 1, 6)
    assert found.first_places == [1, 2]
    assert (found.counts[0][0], found.counts[1][0], found.inside) == (21, 6, [63, 0])
    assert (len(found.edges), found.edges[-1]) == (P_BINS + 1, 1)
    assert region(claimed, 2, 3).counts[0][0] == 5


def test_of_a_long_window_every_so_many_steps_are_added_up(claimed, monkeypatch):
    monkeypatch.setattr("runs.record.trust_region.STEPS", 10)
    tell(claimed, started(1), *(guidance(step) for step in range(1, 32)))
    found = region(claimed)
    assert (found.steps, found.steps_told, found.to_step) == (8, 31, 31)
    assert found.counts[1][0] == 8
