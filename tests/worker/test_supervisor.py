"""One attempt from claim to end, with a real (scripted) training process."""

import os
import shutil
import signal
import stat
import threading
import time
from threading import Event, Thread

import psutil
import pytest
from sqlalchemy import select, update

from runs.db import now, reading, writing
from runs.files import log_path, tail
from runs.life import removal, store
from runs.life.leases import Worker, claim, expire
from runs.queue import make_celery
from runs.record import curves
from runs.record.ingest import BATCH_BYTES
from runs.tables import RunRow, WorkerRow
from trapo_core.events import AttemptStarted, EventWriter, StepDone
from worker.supervisor import Host, attempt, pause_after
from worker.sweeper import Sweeper, sweep


@pytest.fixture
def host(engine, settings):
    return Host(engine, settings, Worker("wkr_test", "host-1", 0), Event())


@pytest.fixture
def started(host, until):
    """Start an attempt in a thread; it is joined at the end, whatever the test says."""
    threads = []

    def start(run_id):
        threads.append(Thread(target=attempt, args=(host, run_id)))
        threads[-1].start()
        return threads[-1]

    yield start
    host.stopping.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def steps(host, run_id):
    with reading(host.engine) as session:
        return curves.read_curve(session, run_id, "reward/unguided", 1000)


def rows(host, run_id):
    with reading(host.engine) as session:
        return store.attempts(session, run_id)


def pid_of(host, run_id):
    return rows(host, run_id)[-1].pid


def until_queued_again_and_due(host, until, read_run, run_id):
    until(lambda: read_run(host.engine, run_id).state == "queued")
    with writing(host.engine) as session:
        session.execute(update(RunRow).values(not_before=None))


def test_a_run_that_goes_well_succeeds(host, make_run, read_run):
    run_id = make_run(host.engine, "steps=7 score=b")
    attempt(host, run_id)
    run = read_run(host.engine, run_id)
    assert (run.state, run.reason, run.step, run.owner) == ("succeeded", None, 7, None)
    assert run.ended_at >= run.started_at
    assert steps(host, run_id).steps == list(range(1, 8))
    (row,) = rows(host, run_id)
    assert (row.exit_code, row.signal, row.resumed_from_step) == (0, None, 0)
    run_dir = host.settings.run_dir(run_id)
    assert stat.S_IMODE((run_dir / "spec.json").stat().st_mode) == 0o600
    assert "attempt 1 from step 0" in tail(log_path(run_dir, 1), 1000)


def test_a_run_that_somebody_else_has_is_left_alone(host, make_run, read_run):
    run_id = make_run(host.engine)
    with writing(host.engine) as session:
        store.cancel(session, run_id)
    attempt(host, run_id)
    attempt(host, "run_that_never_was")
    assert read_run(host.engine, run_id).attempts == 0


def test_a_killed_process_is_started_again_from_its_checkpoint(host, make_run, read_run, until):
    run_id = make_run(host.engine, "steps=12 kill_at=8 save_every=5")
    attempt(host, run_id)
    assert read_run(host.engine, run_id).reason == "killed_signal"
    until_queued_again_and_due(host, until, read_run, run_id)
    attempt(host, run_id)
    assert read_run(host.engine, run_id).state == "succeeded"
    assert steps(host, run_id).steps == list(range(1, 13))
    first, second = rows(host, run_id)
    assert (first.signal, first.reason, second.resumed_from_step) == (signal.SIGKILL, "killed_signal", 5)


def test_a_process_killed_in_mid_line_leaves_a_whole_history(host, make_run, read_run, until):
    run_id = make_run(host.engine, "steps=9 tail_at=7 save_every=3")
    attempt(host, run_id)
    until_queued_again_and_due(host, until, read_run, run_id)
    attempt(host, run_id)
    assert steps(host, run_id).steps == list(range(1, 10))


def test_a_process_that_dies_again_and_again_without_a_checkpoint_fails(host, make_run, read_run, until):
    run_id = make_run(host.engine, "steps=9 kill_always=3 save_every=5")
    for _ in range(2):  # each counts double of the five
        attempt(host, run_id)
        until_queued_again_and_due(host, until, read_run, run_id)
    attempt(host, run_id)
    assert (read_run(host.engine, run_id).state, read_run(host.engine, run_id).reason) == ("failed", "retry_exhausted")


def test_an_attempt_that_takes_longer_than_allowed_saves_and_can_be_resumed(host, make_run, read_run):
    run_id = make_run(host.engine, "steps=5000 pace=0.02 save_every=1000", resources={"max_duration_s": 2})
    attempt(host, run_id)
    run = read_run(host.engine, run_id)
    assert (run.state, run.reason) == ("failed", "max_duration")
    with reading(host.engine) as session:
        assert curves.checkpoints(session, run_id)[-1].step == run.step > 0
    with writing(host.engine) as session:
        store.resume(session, run_id)
    attempt(host, run_id)
    assert rows(host, run_id)[1].resumed_from_step == run.step


def test_two_workers_of_one_host_start_processes_that_see_different_gpus(engine, settings, make_run, read_run, until):
    run_ids = [make_run(engine, "steps=5000 pace=0.02", resources={"gpus": 2}) for _ in range(2)]
    hosts = [Host(engine, settings, Worker(f"wkr_{n}", "host-1", 4), Event()) for n in range(2)]
    threads = [Thread(target=attempt, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    until(lambda: all(read_run(engine, run_id).step for run_id in run_ids))
    seen = [psutil.Process(pid_of(hosts[0], run_id)).environ()["CUDA_VISIBLE_DEVICES"] for run_id in run_ids]
    assert sorted(seen) == ["0,1", "2,3"]
    for host in hosts:
        host.stopping.set()
    for thread in threads:
        thread.join(30)


def test_a_process_without_room_to_write_ends_as_disk_full(host, make_run, read_run):
    run_id = make_run(host.engine, "steps=5 full_at=3")
    attempt(host, run_id)
    run = read_run(host.engine, run_id)
    assert (run.state, run.reason) == ("failed", "disk_full")
    assert "No space left" in run.message


@pytest.mark.parametrize(
    ("command", "words"), [(["/no/such/program"], "FileNotFoundError"), ([os.devnull], "PermissionError")]
)
def test_a_training_command_that_cannot_be_started_ends_the_attempt_at_once_and_says_so(
    engine, make_settings, make_run, read_run, caplog, command, words
):
    run_id = make_run(engine)
    attempt(Host(engine, make_settings(training_command=command), Worker("w", "h", 0), Event()))
    run = read_run(engine, run_id)
    assert (run.state, run.reason, run.owner) == ("queued", "worker_failed", None)
    assert run.message.startswith(words) and command[0] in run.message
    assert "Traceback" in caplog.text


def test_what_the_database_refuses_ends_the_attempt_at_once_and_says_so(any_engine, settings, make_run, read_run):
    run_id = make_run(any_engine)
    settings.run_dir(run_id).mkdir(parents=True)
    tell = EventWriter(settings.run_dir(run_id))
    tell(
        AttemptStarted(attempt=1, resumed_from_step=0, total_steps=5, pid=1),
        StepDone(step=1 << 70, seconds=1, metrics={}),
    )
    attempt(Host(any_engine, settings, Worker("w", "h", 0), Event()))
    run = read_run(any_engine, run_id)
    assert (run.state, run.reason, run.attempts) == ("queued", "worker_failed", 1)
    assert "Error" in run.message or "OutOfRange" in run.message
    assert "UPDATE" not in run.message


def test_a_worker_on_a_nearly_full_disk_starts_nothing(engine, make_settings, make_run, read_run):
    run_id = make_run(engine)
    attempt(Host(engine, make_settings(min_free_bytes=1 << 60), Worker("w", "h", 0), Event()))
    assert (read_run(engine, run_id).state, read_run(engine, run_id).attempts) == ("queued", 0)


@pytest.mark.parametrize(
    ("script", "reason", "message"),
    [
        ("steps=5 fail_at=3 reason=nan_loss", "nan_loss", "as scripted"),
        ("steps=5 fail_at=3 reason=unheard_of", "exit_nonzero", "as scripted"),
        ("steps=5 exit_at=3", "exit_nonzero", "the last word"),
    ],
)
def test_a_failure_keeps_its_reason_and_its_last_words(host, make_run, read_run, script, reason, message):
    run_id = make_run(host.engine, script)
    attempt(host, run_id)
    run = read_run(host.engine, run_id)
    assert (run.state, run.reason, run.message) == ("failed", reason, message)
    assert run.advice


def test_reading_takes_a_hundredth_of_the_time_but_news_is_never_long_in_coming(make_settings):
    settings = make_settings(ingest_s=0.5, heartbeat_s=5)
    pauses = [pause_after(10_000, took_s, settings) for took_s in (0.0, 0.005, 0.01, 0.02, 0.5)]
    assert pauses == [0.5, 0.5, 1.0, 2.0, 2.0]
    assert pause_after(10_000, 0.5, make_settings(ingest_s=0.5, heartbeat_s=2)) == 1.0, "a lease is renewed in time"
    assert [pause_after(much, 0.5, settings) for much in (100_000, BATCH_BYTES)] == [0.5, 0.0], "nobody falls behind"


def test_the_end_of_a_process_is_seen_at_once_however_long_the_pause(engine, make_settings, make_run, read_run):
    host = Host(engine, make_settings(ingest_s=60), Worker("wkr_test", "host-1", 0), Event())
    run_id, begun = make_run(engine, "steps=3"), time.monotonic()
    attempt(host, run_id)
    assert read_run(engine, run_id).state == "succeeded"
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("wish", "state", "reason"),
    [(store.pause, "paused", "user_paused"), (store.cancel, "cancelled", "user_cancelled")],
)
def test_a_wish_stops_the_process_after_its_step(host, make_run, read_run, until, started, wish, state, reason):
    run_id = make_run(host.engine, "steps=5000 pace=0.02")
    started(run_id)
    until(lambda: read_run(host.engine, run_id).step > 2)
    with writing(host.engine) as session:
        wish(session, run_id)
    until(lambda: read_run(host.engine, run_id).state == state)
    run = read_run(host.engine, run_id)
    assert run.reason == reason
    assert rows(host, run_id)[0].exit_code == 0
    with reading(host.engine) as session:
        assert curves.checkpoints(session, run_id)[-1].step == run.step


def test_a_paused_run_resumes_where_it_stopped(host, make_run, read_run, until, started):
    run_id = make_run(host.engine, "steps=120 pace=0.05 save_every=1000")
    first = started(run_id)
    until(lambda: read_run(host.engine, run_id).step > 2)
    with writing(host.engine) as session:
        store.pause(session, run_id)
    first.join(30)
    stopped_at = read_run(host.engine, run_id).step
    with writing(host.engine) as session:
        store.resume(session, run_id)
    attempt(host, run_id)
    assert read_run(host.engine, run_id).state == "succeeded"
    assert rows(host, run_id)[1].resumed_from_step == stopped_at
    assert steps(host, run_id).steps == list(range(1, 121))


def test_a_process_deaf_to_term_is_killed_after_the_grace(engine, make_settings, make_run, read_run, until):
    host = Host(engine, make_settings(stop_grace_s=0.3), Worker("w", "host-1", 0), Event())
    run_id = make_run(engine, "steps=500 pace=0.05 deaf=1")
    thread = Thread(target=attempt, args=(host, run_id))
    thread.start()
    until(lambda: read_run(engine, run_id).step > 1)
    with writing(engine) as session:
        store.cancel(session, run_id)
    thread.join(30)
    assert (read_run(engine, run_id).state, rows(host, run_id)[0].signal) == ("cancelled", signal.SIGKILL)


def test_a_worker_that_shuts_down_gives_its_run_back(host, make_run, read_run, until, started):
    run_id = make_run(host.engine, "steps=5000 pace=0.02")
    thread = started(run_id)
    until(lambda: read_run(host.engine, run_id).step > 2)
    host.stopping.set()
    thread.join(30)
    run = read_run(host.engine, run_id)
    assert (run.state, run.reason) == ("queued", "worker_stopped")
    host.stopping.clear()
    with writing(host.engine) as session:
        store.cancel(session, run_id)


def test_a_supervisor_that_lost_its_lease_kills_its_process_and_says_nothing(host, make_run, read_run, until, started):
    run_id = make_run(host.engine, "steps=5000 pace=0.02 deaf=1")
    thread = started(run_id)
    until(lambda: read_run(host.engine, run_id).step > 2)
    process = psutil.Process(pid_of(host, run_id))
    with writing(host.engine) as session:
        session.execute(update(RunRow).values(lease_expires_at=now() - 1))
        expire(session, host.settings)
    thread.join(30)
    assert not process.is_running()
    assert read_run(host.engine, run_id).reason == "worker_lost"


def test_a_supervisor_that_cannot_renew_in_time_kills_its_process(engine, make_settings, make_run, read_run, until):
    """The database is locked for longer than two thirds of the lease, as if it were away."""
    host = Host(engine, make_settings(lease_s=6), Worker("wkr_test", "host-1", 0), Event())
    run_id = make_run(engine, "steps=5000 pace=0.02")
    thread = Thread(target=attempt, args=(host, run_id))
    thread.start()
    until(lambda: read_run(engine, run_id).step > 2)
    process = psutil.Process(pid_of(host, run_id))
    with writing(engine):
        until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 8)
    thread.join(30)
    assert read_run(engine, run_id).state == "running", "it says nothing more; a sweeper will"


def test_a_process_left_by_an_earlier_attempt_is_killed_first(host, make_run, read_run, until):
    """As after SIGKILL of a supervisor: its process lives on, and the row knows where."""
    run_id = make_run(host.engine, "steps=400 pace=0.05 deaf=1")
    thread = Thread(target=attempt, args=(host, run_id), daemon=True)
    thread.start()
    until(lambda: read_run(host.engine, run_id).step > 2)
    orphan = psutil.Process(pid_of(host, run_id))
    with writing(host.engine) as session:
        store.cancel(session, run_id)
        session.execute(update(RunRow).values(state="queued", desired="run", not_before=None, name="steps=3"))
    second = threading.Thread(target=attempt, args=(host, run_id))
    second.start()
    until(lambda: not orphan.is_running(), 10)
    host.stopping.set()
    second.join(30)
    thread.join(30)


def test_nothing_of_the_services_secrets_reaches_the_training_process(host, make_run, monkeypatch, until, started):
    monkeypatch.setenv("TRAPO_DATABASE_URL", "postgresql://user:secret@db/trapo")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    run_id = make_run(host.engine, "steps=5000 pace=0.02")
    started(run_id)
    until(lambda: rows(host, run_id) and pid_of(host, run_id))
    until(lambda: psutil.Process(pid_of(host, run_id)).environ().get("TRAPO_STOP_ON_STDIN_EOF"))
    environment = psutil.Process(pid_of(host, run_id)).environ()
    assert "secret" not in str(environment)
    assert environment["TRAPO_DATA_DIR"] == str(host.settings.data_root)
    assert os.getsid(pid_of(host, run_id)) == pid_of(host, run_id), "its own session, away from our signals"


def test_a_sweeper_that_fails_takes_its_worker_down(host, make_settings, monkeypatch):
    """A worker without a sweeper would look dead and work on."""
    told = []
    previous = signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    broken = Host(host.engine, host.settings, host.worker, host.stopping)
    sweeper = Sweeper(broken, None, None)  # no row to write: a mistake, not a database that is away
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    sweeper.start()
    sweeper.join(5)
    signal.signal(signal.SIGTERM, previous)
    assert told


def test_a_removal_that_takes_long_stops_neither_heartbeat_nor_expiry(
    host, make_run, read_run, make_settings, tmp_path, until, monkeypatch
):
    """As of a folder with many files on a slow disk."""
    doomed, silent = make_run(host.engine), make_run(host.engine)
    with writing(host.engine) as session:
        store.cancel(session, doomed)
        removal.mark_deleted(session, doomed)
        past = now() - host.settings.delete_grace_s
        session.execute(update(RunRow).where(RunRow.id == doomed).values(deleted_at=past))
    removing, may_end = Event(), Event()
    monkeypatch.setattr(shutil, "rmtree", lambda _: (removing.set(), may_end.wait(30)))
    celery = make_celery(make_settings(redis_url=f"redis+socket://{tmp_path}/away.sock"))
    sweeper = Sweeper(host, celery, WorkerRow(id=host.worker.id, host="host-1", pid=1, gpus=0, slots=1))
    sweeper.start()
    assert removing.wait(10)
    with writing(host.engine) as session:
        claim(session, silent, Worker("wkr_gone", "elsewhere", 0), -1.0)
        beat_at = session.get_one(WorkerRow, host.worker.id).heartbeat_at
    until(lambda: read_run(host.engine, silent).reason == "worker_lost")
    until(lambda: heartbeat_at(host) > beat_at)
    may_end.set()
    until(lambda: doomed not in run_ids(host))
    sweeper.halt.set()
    sweeper.join(10)
    celery.close()


def heartbeat_at(host):
    with reading(host.engine) as session:
        return session.get_one(WorkerRow, host.worker.id).heartbeat_at


def run_ids(host):
    with reading(host.engine) as session:
        return list(session.scalars(select(RunRow.id)))


def test_the_sweeper_takes_a_silent_workers_run_and_leaves_a_live_ones(
    host, make_run, read_run, make_settings, tmp_path
):
    silent, live = make_run(host.engine), make_run(host.engine)
    with writing(host.engine) as session:
        claim(session, silent, Worker("wkr_gone", "elsewhere", 0), -1.0)
        claim(session, live, Worker("wkr_here", "elsewhere", 0), 60.0)
    celery = make_celery(make_settings(redis_url=f"redis+socket://{tmp_path}/away.sock"))
    sweep(host, celery)
    celery.close()
    assert read_run(host.engine, silent).reason == "worker_lost"
    assert read_run(host.engine, live).state == "starting"
