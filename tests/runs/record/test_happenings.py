"""A run's events found by kind, text, step and time, both ways, on both engines."""

from datetime import timedelta

import pytest

from runs.db import reading, writing
from runs.life.transitions import append_event
from runs.record.happenings import EventFilter, page
from runs.tables import EventRow


@pytest.fixture
def told(any_engine, make_run):
    """The run's id and its events: created, then steps 1 to 5 with a message after each."""
    run_id = make_run(any_engine)
    make_run(any_engine)
    with writing(any_engine) as session:
        for step in range(1, 6):
            append_event(session, run_id, "step", {"step": step})
            append_event(session, run_id, "message", {"level": "info", "text": f'Schön 100% "{step}"_'})
    with reading(any_engine) as session:
        yield session, run_id, page(session, run_id, EventFilter(), 99, newest=False)


def test_both_ways_page_by_page(told):
    session, run_id, events = told
    assert [row.type for row in events] == ["run_created", *["step", "message"] * 5]
    assert {row.run_id for row in events} == {run_id}
    newest = page(session, run_id, EventFilter(), 4, newest=True)
    assert newest == events[::-1][:4]
    assert page(session, run_id, EventFilter(before=newest[-1].seq), 99, newest=True) == events[::-1][4:]
    assert page(session, run_id, EventFilter(after=events[6].seq), 2, newest=False) == events[7:9]


@pytest.mark.parametrize(("words", "found"), [("schön", 5), ("100%", 5), ('"3"_', 1), ("100_", 0)])
def test_found_by_text(told, words, found):
    session, run_id, _ = told
    assert len(page(session, run_id, EventFilter(contains=words), 99, newest=True)) == found


def test_found_by_kind_and_up_to_a_step_or_a_time(told):
    session, run_id, events = told
    messages = page(session, run_id, EventFilter(types=("message",), up_to_step=3), 99, newest=True)
    assert [row.data["text"] for row in messages] == ['Schön 100% "2"_', 'Schön 100% "1"_']
    assert page(session, run_id, EventFilter(up_to_step=3), 1, newest=True) == [events[5]]
    assert page(session, run_id, EventFilter(up_to_step=0), 9, newest=True) == []
    assert page(session, run_id, EventFilter(up_to=events[0].ts - timedelta(seconds=5)), 9, newest=True) == []
    assert len(page(session, run_id, EventFilter(up_to=events[-1].ts), 99, newest=True)) == len(events)
    assert isinstance(events[0], EventRow)
