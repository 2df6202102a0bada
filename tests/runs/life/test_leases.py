"""Who works on a run: one at a time, by the database's clock, whatever threads and clocks do."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from runs.db import now, reading, writing
from runs.errors import ConflictError, LeaseLostError, NotFoundError
from runs.life import leases, store
from runs.life.leases import Worker
from runs.states import Desired, State
from runs.tables import AttemptRow, EventRow, RunRow

WORKER = Worker("wkr_1", "host-1", gpus=0)


def claim(engine, run_id, worker=WORKER, lease_s=30.0):
    with writing(engine) as session:
        return leases.claim(session, run_id, worker, lease_s)


def expire(engine, settings):
    with writing(engine) as session:
        session.execute(update(RunRow).values(lease_expires_at=now() - 1))
        return leases.expire(session, settings)


def test_of_many_that_claim_at_once_exactly_one_gets_the_run(any_engine, make_run):
    run_id = make_run(any_engine)
    barrier = threading.Barrier(8)

    def contend(index):
        barrier.wait()
        return claim(any_engine, run_id, Worker(f"wkr_{index}", "host", 0))

    with ThreadPoolExecutor(8) as pool:
        won = [lease for lease in pool.map(contend, range(8)) if lease]
    assert len(won) == 1
    assert (won[0].attempt, won[0].fence) == (1, 1)


def test_events_of_many_writers_become_visible_in_the_order_of_their_numbers(any_engine, make_run):
    """A reader that always continues behind the last number it saw misses nothing."""
    seen, stop = [], threading.Event()

    def follow():
        cursor = 0
        while True:
            last_round = stop.is_set()
            with reading(any_engine) as session:
                found = store.events(session, [], cursor, 1000)
            seen.extend(event.seq for event in found)
            cursor = seen[-1] if seen else 0
            if last_round and not found:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: make_run(any_engine), range(60)))
    stop.set()
    follower.join()
    assert len(seen) == 60
    assert seen == sorted(set(seen))


def test_a_writer_is_alone_before_its_first_statement(any_engine):
    """What it looks at outside the database, such as a file, must not change under it."""
    inside, most = 0, 0

    def write(_):
        nonlocal inside, most
        with writing(any_engine):
            inside += 1
            most = max(most, inside)
            time.sleep(0.005)
            inside -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(18)))
    assert most == 1


def test_a_lease_is_renewed_and_brings_the_users_wish(any_engine, make_run):
    run_id = make_run(any_engine)
    lease = claim(any_engine, run_id)
    with writing(any_engine) as session:
        assert leases.renew(session, lease, 30) is Desired.run
        store.pause(session, run_id)
        assert leases.renew(session, lease, 30) is Desired.pause


def test_a_silent_workers_run_waits_again_with_its_reason_and_its_attempt_is_closed(
    any_engine, make_run, read_run, settings
):
    run_id = make_run(any_engine)
    claim(any_engine, run_id)
    assert expire(any_engine, settings) == [run_id]
    run = read_run(any_engine, run_id)
    assert (run.state, run.reason, run.owner) == ("queued", "worker_lost", None)
    with reading(any_engine) as session:
        assert session.scalar(select(AttemptRow.reason)) == "worker_lost"
        types = session.scalars(select(EventRow.type).order_by(EventRow.seq)).all()
    assert types == ["run_created", "run_state", "attempt_lost", "run_state"]


def test_a_live_lease_is_not_expired(engine, make_run, settings):
    claim(engine, make_run(engine))
    with writing(engine) as session:
        assert leases.expire(session, settings) == []


def test_whoever_lost_the_run_can_write_nothing_even_after_it_was_claimed_again(
    any_engine, make_run, read_run, settings
):
    run_id = make_run(any_engine)
    zombie = claim(any_engine, run_id)
    expire(any_engine, settings)
    for again in (False, True):
        if again:
            with writing(any_engine) as session:
                session.execute(update(RunRow).values(not_before=None))
            assert claim(any_engine, run_id, Worker("wkr_2", "host-2", 0)).fence == 2
        with pytest.raises(LeaseLostError), writing(any_engine) as session:
            leases.renew(session, zombie, 30)
        with pytest.raises(LeaseLostError), writing(any_engine) as session:
            leases.finish(session, zombie, settings, reason=None)
    assert read_run(any_engine, run_id).state == "starting"


def test_a_run_that_keeps_being_lost_fails_in_the_end(engine, make_run, read_run, settings):
    run_id = make_run(engine)
    for _ in range(settings.retry_limit):
        with writing(engine) as session:
            session.execute(update(RunRow).values(not_before=None))
        assert claim(engine, run_id)
        expire(engine, settings)
    run = read_run(engine, run_id)
    assert (run.state, run.reason, run.attempts) == ("failed", "retry_exhausted", settings.retry_limit)
    assert "log" in run.advice


def test_a_retried_run_is_not_claimed_before_its_time(engine, make_run, make_settings):
    settings = make_settings(retry_backoff_s=60)
    run_id = make_run(engine)
    claim(engine, run_id)
    expire(engine, settings)
    assert claim(engine, run_id) is None
    with reading(engine) as session:
        assert leases.waiting_runs(session, gpus=0, limit=9) == []


def test_a_host_without_the_gpus_leaves_the_run_to_another(engine, make_run):
    run_id = make_run(engine, resources={"gpus": 2})
    assert claim(engine, run_id) is None
    assert claim(engine, run_id, Worker("wkr_2", "host-2", gpus=2))


def test_cancel_now_if_it_waits_and_as_a_wish_if_it_runs(engine, make_run, read_run):
    waiting, running = make_run(engine), make_run(engine)
    claim(engine, running)
    for run_id in (waiting, running, running):
        with writing(engine) as session:
            store.cancel(session, run_id)
    assert (read_run(engine, waiting).state, read_run(engine, waiting).reason) == ("cancelled", "user_cancelled")
    assert (read_run(engine, running).state, read_run(engine, running).desired) == ("starting", "cancel")
    assert claim(engine, waiting) is None


def test_pause_and_resume_of_a_waiting_run(engine, make_run, read_run):
    run_id = make_run(engine)
    with writing(engine) as session:
        store.pause(session, run_id)
    assert read_run(engine, run_id).state == "paused"
    assert claim(engine, run_id) is None
    with writing(engine) as session:
        store.resume(session, run_id)
    assert claim(engine, run_id).attempt == 1


@pytest.mark.parametrize(("wish", "state"), [(store.cancel, "cancelled"), (store.pause, "paused")])
def test_a_wish_that_comes_twice_changes_nothing_the_second_time(engine, make_run, wish, state):
    """A client that lost the answer sends it again."""
    run_id = make_run(engine)
    for _ in range(2):
        with writing(engine) as session:
            assert wish(session, run_id).state == state
    with reading(engine) as session:
        assert len(store.events(session, [run_id], 0, 99)) == 2


def test_a_wish_that_cannot_be_names_the_present_state_and_changes_nothing(engine, make_run, read_run, settings):
    run_id = make_run(engine)
    lease = claim(engine, run_id)
    with writing(engine) as session:
        assert leases.finish(session, lease, settings, reason=None).state is State.succeeded
    for wish in (store.cancel, store.pause, store.resume):
        with pytest.raises(ConflictError, match="succeeded"), writing(engine) as session:
            wish(session, run_id)
    with reading(engine) as session:
        assert len(store.events(session, [run_id], 0, 99)) == 3
    with pytest.raises(NotFoundError), writing(engine) as session:
        store.cancel(session, "run_none")


def test_times_are_the_databases_not_this_machines(any_engine, make_run, settings, monkeypatch):
    """A worker whose clock is ten minutes ahead neither loses its lease nor takes another's."""
    run_id = make_run(any_engine)
    ahead = time.time() + 600
    monkeypatch.setattr(time, "time", lambda: ahead)
    lease = claim(any_engine, run_id)
    with writing(any_engine) as session:
        assert leases.expire(session, settings) == []
        assert leases.renew(session, lease, 30) is Desired.run
