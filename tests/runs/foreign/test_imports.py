"""Imports on both databases: one run, in its final state, however often and by however many it is sent."""

import json
import math
import threading

import pytest

from runs.db import reading, writing
from runs.foreign import imports
from runs.life import leases, listing
from runs.life.leases import Worker
from runs.life.listing import RunFilter
from runs.life.submission import Order, Service
from runs.record.points import as_csv, series_of
from runs.record.rollups import history
from runs.states import State
from trapo_core.events import AttemptStarted, Ended, StepDone

HEADER = {"type": "import", "source": "trapo", "name": "elsewhere", "tags": [], "spec": None}


def lines(*events):
    return b"".join([json.dumps(HEADER).encode() + b"\n", *(one.model_dump_json().encode() + b"\n" for one in events)])


def steps(first, last, value=0.5):
    return [StepDone(step=step, seconds=1, metrics={"loss": value}) for step in range(first, last + 1)]


def start(resumed_from_step):
    return AttemptStarted(attempt=1, resumed_from_step=resumed_from_step, total_steps=40, pid=1)


WHOLE = lines(start(0), *steps(1, 30, 9.0), start(20), *steps(21, 40, math.nan), Ended(outcome="succeeded", step=40))


def send(engine, settings, text=WHOLE, key="once"):
    with imports.incoming(settings) as body:
        body.write(text)
        return imports.make(Service(engine, settings), body, Order("alice", key))


def listed(engine):
    with reading(engine) as session:
        return [run.id for run in listing.page(session, RunFilter(), 50)[0]]


def test_an_imported_run_has_its_end_and_each_step_once(any_engine, settings):
    run, fresh = send(any_engine, settings)
    assert (fresh, run.state, run.step, run.attempts, run.deleted_at, run.owner) == (
        True, "succeeded", 40, 2, None, None,
    )  # fmt: skip
    with reading(any_engine) as session:
        past, series = history(session, run.id), series_of(session, run.id, ["loss"])
    rows = "".join(as_csv(any_engine, past, series)).splitlines()[1:]
    assert rows == [f"loss,{step},{'9.0' if step <= 20 else 'NaN'}" for step in range(1, 41)]
    with writing(any_engine) as session:
        assert leases.claim_next(session, Worker("w", "h", 8), 60) is None
        assert leases.expire(session, settings) == []


def test_many_who_send_the_same_get_the_same_run(any_engine, settings):
    got = []
    threads = [threading.Thread(target=lambda: got.append(send(any_engine, settings))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.id for run, _ in got}) == 1
    assert sorted(fresh for _, fresh in got) == [False, False, False, True]
    assert listed(any_engine) == [got[0][0].id]
    assert [folder.name for folder in (settings.home / "runs").iterdir()] == [got[0][0].id]


@pytest.mark.parametrize(
    ("ended", "state", "reason"),
    [
        (None, "cancelled", "unfinished"),
        (Ended(outcome="stopped", step=1), "cancelled", "unfinished"),
        (Ended(outcome="failed", step=1, reason="oom_gpu"), "failed", "oom_gpu"),
        (Ended(outcome="failed", step=1, reason="worker_lost"), "failed", "exit_nonzero"),
        (Ended(outcome="failed", step=1, reason="their own"), "failed", "exit_nonzero"),
        (Ended(outcome="succeeded", step=1), "succeeded", None),
    ],
)
def test_a_run_ends_as_it_said(ended, state, reason):
    assert imports.outcome(ended) == imports.Outcome(State(state), reason)


def test_a_number_that_the_database_cannot_add_up_leaves_nothing(postgres_engine, settings):
    with pytest.raises(Exception, match="out of range"):
        send(postgres_engine, settings, lines(start(0), *steps(1, 40, 1.7e308)))
    assert listed(postgres_engine) == []
    assert not any((settings.home / "runs").iterdir())
