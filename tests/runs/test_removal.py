"""Archive and delete: nothing is lost before its time, and everything is gone after it."""

import pytest
from sqlalchemy import func, select, update

from runs import leases, removal, store
from runs.db import now, reading, writing
from runs.errors import ConflictError
from runs.files import remove_folder
from runs.ingest import ingest
from runs.leases import Worker
from runs.listing import RunFilter, page
from runs.tables import Base, RunRow
from trapo_core.events import AttemptStarted, CheckpointSaved, EventWriter, StepDone


@pytest.fixture
def ended(settings):
    """A run with rows in many tables, and a folder; it was cancelled."""

    def make(engine, make_run):
        run_id = make_run(engine)
        run_dir = settings.run_dir(run_id)
        run_dir.mkdir(parents=True)
        tell = EventWriter(run_dir)
        tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=5, pid=1))
        for step in range(1, 6):
            tell(StepDone(step=step, seconds=1, metrics={"a": 1.0, "b": 2.0}))
        tell(CheckpointSaved(step=5, path="checkpoints/5", bytes=1, sha256="0" * 64))
        with writing(engine) as session:
            lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
        ingest(engine, lease, run_dir)
        with writing(engine) as session:
            leases.finish(session, lease, settings, reason="user_cancelled")
        return run_id

    return make


def listed(engine, **wanted):
    with reading(engine) as session:
        return [run.id for run in page(session, RunFilter(**wanted), 99)[0]]


def act(engine, action, run_id, *more):
    with writing(engine) as session:
        return action(session, run_id, *more)


def rows_left(engine):
    with reading(engine) as session:
        counts = {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in Base.metadata.sorted_tables
        }
    return {name: count for name, count in counts.items() if count}


def test_an_archived_run_leaves_the_lists_and_comes_back(engine, make_run, ended):
    run_id = ended(engine, make_run)
    act(engine, removal.archive, run_id)
    assert (listed(engine), listed(engine, archived=True)) == ([], [run_id])
    act(engine, removal.unarchive, run_id)
    assert listed(engine) == [run_id]


def test_a_retried_run_is_no_longer_archived(engine, make_run, ended):
    run_id = ended(engine, make_run)
    act(engine, removal.archive, run_id)
    assert act(engine, store.retry, run_id).state == "queued"
    assert listed(engine) == [run_id]


def test_a_deleted_run_makes_no_move_until_it_is_had_back(any_engine, make_run, ended, settings):
    run_id = ended(any_engine, make_run)
    act(any_engine, removal.mark_deleted, run_id)
    act(any_engine, removal.mark_deleted, run_id)
    assert (listed(any_engine), listed(any_engine, deleted=True)) == ([], [run_id])
    for action in (store.retry, removal.archive):
        with pytest.raises(ConflictError, match="deleted"):
            act(any_engine, action, run_id)
    assert removal.purge(any_engine, settings) == []
    act(any_engine, removal.undelete, run_id, settings)
    assert act(any_engine, store.retry, run_id).state == "queued"


@pytest.mark.parametrize("claimed", [False, True])
def test_a_run_that_waits_or_works_is_not_deleted(engine, make_run, claimed):
    run_id = make_run(engine)
    if claimed:
        act(engine, leases.claim, run_id, Worker("w", "h", 0), 60)
    for action in (removal.mark_deleted, removal.archive):
        with pytest.raises(ConflictError, match="starting" if claimed else "queued"):
            act(engine, action, run_id)


def test_after_the_grace_rows_and_folder_are_gone_and_nobody_elses(any_engine, make_run, ended, settings):
    doomed, kept = ended(any_engine, make_run), ended(any_engine, make_run)
    act(any_engine, removal.mark_deleted, doomed)
    with writing(any_engine) as session:
        session.execute(update(RunRow).where(RunRow.id == doomed).values(deleted_at=now() - settings.delete_grace_s))
    with pytest.raises(ConflictError):
        act(any_engine, removal.undelete, doomed, settings)
    assert removal.purge(any_engine, settings) == [doomed]
    assert [path.name for path in (settings.home / "runs").iterdir()] == [kept]
    left = rows_left(any_engine)
    assert (left["runs"], left["points"], left["checkpoints"], left["attempts"]) == (1, 15, 1, 1)
    assert removal.purge(any_engine, settings) == []


def test_a_removal_that_was_cut_short_is_finished_by_the_next(tmp_path):
    half_gone = tmp_path / ".deleted-run_1"
    half_gone.mkdir()
    (half_gone / "rest").touch()
    for _ in range(2):
        remove_folder(tmp_path / "run_1")
    assert list(tmp_path.iterdir()) == []
