"""Whole GPUs, priorities, and who is next: by rows, so that it holds between workers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runs.db import reading, writing
from runs.errors import ConflictError
from runs.life import labels, leases, removal, store
from runs.life.gpu_slots import needed, slot_key
from runs.life.leases import Worker
from trapo_core.spec import parse_spec

ONE = Worker("wkr_1", "host-1", 4)
TWIN = Worker("wkr_2", "host-1", 4)
CPU = Worker("wkr_3", "host-2", 0)


def claim(engine, worker=ONE, run_id=None):
    with writing(engine) as session:
        if run_id:
            return leases.claim(session, run_id, worker, 30)
        return leases.claim_next(session, worker, 30)


def submit(engine, gpus=None, priority=0):
    spec = {"model": {"source": "small_world"}, "data": {"format": "small_world"}, "resources": {"gpus": gpus}}
    with writing(engine) as session:
        return store.create_run(session, parse_spec(spec), "tester", priority=priority).id


def end(engine, lease, settings, reason=None):
    with writing(engine) as session:
        leases.finish(session, lease, settings, reason=reason)


def test_without_a_wish_a_run_takes_one_gpu_if_there_is_any():
    assert [needed(None, 0), needed(None, 8), needed(0, 8), needed(4, 8)] == [0, 1, 0, 4]


def test_a_uuid_is_one_gpu_everywhere_and_an_index_only_on_its_host():
    assert slot_key("a", "GPU-1") == slot_key("b", "GPU-1")
    assert slot_key("a", "0") != slot_key("b", "0")


def test_two_workers_of_one_host_never_give_the_same_gpu_twice(any_engine):
    for _ in range(8):
        submit(any_engine, gpus=1)
    barrier = threading.Barrier(8)

    def contend(index):
        barrier.wait()
        return claim(any_engine, (ONE, TWIN)[index % 2])

    with ThreadPoolExecutor(8) as pool:
        won = [lease for lease in pool.map(contend, range(8)) if lease]
    assert sorted(gpu for lease in won for gpu in lease.gpu_ids) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("reason", [None, "nan_loss", "worker_stopped", "user_paused"])
def test_gpus_are_free_again_however_the_attempt_ends(engine, settings, reason):
    for _ in range(3):
        lease = claim(engine, run_id=submit(engine, gpus=4))
        assert lease.gpu_ids == ("0", "1", "2", "3")
        end(engine, lease, settings, reason)


def test_a_lost_workers_gpus_are_free_again(engine, make_settings):
    claim(engine, run_id=submit(engine, gpus=4))
    with writing(engine) as session:
        session.connection().exec_driver_sql("UPDATE runs SET lease_expires_at = 1")
        leases.expire(session, make_settings(retry_backoff_s=60))
    assert claim(engine, TWIN, submit(engine, gpus=4))


def test_a_process_that_a_lost_worker_left_on_our_gpus_is_in_the_way_and_no_other_is(engine, make_settings):
    for worker, gpus in ((ONE, 2), (Worker("wkr_4", "host-4", 4), 2)):
        lease = claim(engine, worker, submit(engine, gpus=gpus))
        with writing(engine) as session:
            leases.record_process(session, lease, 100, 5.0)
    with writing(engine) as session:
        session.connection().exec_driver_sql("UPDATE runs SET lease_expires_at = 1")
        leases.expire(session, make_settings(retry_backoff_s=60))
    four, none = claim(engine, TWIN, submit(engine, gpus=4)), claim(engine, TWIN, submit(engine, gpus=0))
    with reading(engine) as session:
        assert len(leases.earlier_processes(session, four, TWIN.host)) == 1
        assert leases.earlier_processes(session, none, TWIN.host) == []


def test_the_attempt_remembers_its_gpus(engine):
    run_id = submit(engine, gpus=2)
    claim(engine)
    with reading(engine) as session:
        assert store.attempts(session, run_id)[0].gpu_ids == ["0", "1"]


def test_higher_priority_is_claimed_first_then_the_oldest(any_engine):
    low, first, second, high = [submit(any_engine, priority=priority) for priority in (-1, 0, 0, 5)]
    assert [claim(any_engine).run_id for _ in range(4)] == [high, first, second, low]
    assert claim(any_engine) is None


def test_a_run_that_waits_is_claimed_by_its_new_priority_one_that_is_over_or_deleted_has_none(any_engine):
    first, second, paused, over = [submit(any_engine) for _ in range(4)]
    with writing(any_engine) as session:
        labels.relabel(session, second, {"priority": 3}, None)
        store.pause(session, paused)
        labels.relabel(session, paused, {"priority": 4}, None)
        store.cancel(session, over)
        removal.mark_deleted(session, paused)
    for run_id, state in ((over, "cancelled"), (paused, "deleted")):
        with (
            pytest.raises(ConflictError, match=f"{state}, so it cannot get another priority"),
            writing(any_engine) as s,
        ):
            labels.relabel(s, run_id, {"priority": 5}, None)
    assert [claim(any_engine).run_id for _ in range(2)] == [second, first]


def test_a_large_run_is_not_starved_by_small_ones(engine, settings):
    held = claim(engine, run_id=submit(engine, gpus=1))
    large, small, without = submit(engine, gpus=4), submit(engine, gpus=1), submit(engine, gpus=0)
    assert claim(engine).run_id == without, "it needs no GPU, so it takes nothing from the large one"
    assert claim(engine) is None
    end(engine, held, settings)
    assert claim(engine).run_id == large
    assert claim(engine, run_id=small) is None


def test_a_host_passes_over_what_it_can_never_serve(engine):
    submit(engine, gpus=8, priority=9)
    on_cpu = submit(engine)
    assert claim(engine, CPU).run_id == on_cpu
