"""Archive and delete: nothing is lost before its time, and everything is gone after it."""

from contextlib import contextmanager

import pytest
from sqlalchemy import func, select, update

from runs.db import now, reading, writing
from runs.errors import ConflictError
from runs.files import remove_folder
from runs.life import labels, leases, removal, store, sweeps
from runs.life.leases import Worker
from runs.life.listing import RunFilter, page
from runs.record.ingest import ingest
from runs.tables import Base, ExpertTokensRow, GuidanceRow, RunRow, SweepRow, VisitRow
from runs.upkeep import gc
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
    for action, *more in ((store.retry,), (removal.archive,), (labels.relabel, {"name": "another"}, None)):
        with pytest.raises(ConflictError, match="is deleted"):
            act(any_engine, action, run_id, *more)
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
    with pytest.raises(ConflictError, match="too long ago to be had back"):
        act(any_engine, removal.undelete, doomed, settings)
    assert removal.purge(any_engine, settings) == [doomed]
    assert [path.name for path in (settings.home / "runs").iterdir()] == [kept]
    left = rows_left(any_engine)
    assert (left["runs"], left["points"], left["checkpoints"], left["attempts"]) == (1, 15, 1, 1)
    assert removal.purge(any_engine, settings) == []


def test_a_folder_that_cannot_be_removed_stays_and_the_others_go(any_engine, make_run, ended, settings, caplog):
    stuck, free = ended(any_engine, make_run), ended(any_engine, make_run)
    in_its_way = settings.run_dir(stuck).with_name(f".deleted-{stuck}")
    in_its_way.touch()
    for run_id in (stuck, free):
        act(any_engine, removal.mark_deleted, run_id)
    with writing(any_engine) as session:
        session.execute(update(RunRow).values(deleted_at=now() - settings.delete_grace_s))
    assert removal.purge(any_engine, settings) == [free]
    assert f"{stuck}: deleted, but its folder cannot be removed" in caplog.text
    assert "see that the service's user may write in" in caplog.text
    in_its_way.unlink()
    assert removal.purge(any_engine, settings) == [stuck]


@pytest.fixture
def deleted_run(make_run, ended, settings):
    """One that ended with rows in many tables, and whose grace is over."""

    def make(engine):
        run_id = ended(engine, make_run)
        act(engine, removal.mark_deleted, run_id)
        with writing(engine) as session:
            for step in range(1, 12):
                key = {"run_id": run_id, "segment": 1, "step": step}
                session.add(GuidanceRow(**key, slots=[], prefix_lengths={}))
                session.add(ExpertTokensRow(**key, alpha=0.1, inside=[], counts=[]))
                for place, problem in enumerate(("one", "zwei", "три")):
                    session.add(VisitRow(**key, problem=problem, place=place, samples=[], ratios=[], rewards=[]))
        outdate(engine, settings, run_id)
        return run_id

    return make


def test_no_transaction_deletes_more_than_a_slice_of_a_run(any_engine, deleted_run, settings, monkeypatch):
    run_id, deleted = deleted_run(any_engine), []
    monkeypatch.setattr(removal, "SLICE", 4)

    @contextmanager
    def counted(engine):
        before = sum(rows_left(engine).values())
        with writing(engine) as session:
            yield session
        deleted.append(before - sum(rows_left(engine).values()))

    monkeypatch.setattr(removal, "writing", counted)
    rows = sum(rows_left(any_engine).values())
    assert removal.purge(any_engine, settings) == [run_id]
    assert rows_left(any_engine) == {}
    assert (max(deleted), sum(deleted)) == (removal.SLICE, rows)


def test_a_purge_that_died_between_two_slices_is_finished_by_the_next(
    any_engine, deleted_run, settings, monkeypatch
):  # fmt: skip
    run_id = deleted_run(any_engine)
    monkeypatch.setattr(removal, "SLICE", 4)
    lives = iter([True] * 9)

    @contextmanager
    def mortal(engine):
        with writing(engine) as session:
            if not next(lives, False):
                raise SystemExit
            yield session

    with monkeypatch.context() as short, pytest.raises(SystemExit):
        short.setattr(removal, "writing", mortal)
        removal.purge(any_engine, settings)
    assert rows_left(any_engine)["runs"] == 1
    assert removal.purge(any_engine, settings) == [run_id]
    assert rows_left(any_engine) == {}


def test_an_import_that_is_being_read_is_not_purged_before_an_hour_is_over(any_engine, make_run, make_settings):
    settings, run_id = make_settings(delete_grace_s=0), make_run(any_engine)
    for age_s, purged in ((0, []), (removal.IMPORT_S - 60, []), (removal.IMPORT_S + 1, [run_id])):
        with writing(any_engine) as session:
            session.execute(update(RunRow).values(state="running", deleted_at=now() - age_s))
        assert removal.purge(any_engine, settings) == purged


def test_without_a_grace_a_deleted_run_goes_at_once(any_engine, make_run, ended, make_settings):
    settings, run_id = make_settings(delete_grace_s=0), ended(any_engine, make_run)
    act(any_engine, removal.mark_deleted, run_id)
    assert removal.purge(any_engine, settings) == [run_id]


def test_a_removal_that_was_cut_short_is_finished_by_the_next(tmp_path):
    half_gone = tmp_path / ".deleted-run_1"
    half_gone.mkdir()
    (half_gone / "rest").touch()
    for _ in range(2):
        remove_folder(tmp_path / "run_1")
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_of_a_removal_keeps_its_name(tmp_path):
    """It would grow with each try."""
    left = tmp_path / ".deleted-run_1"
    left.mkdir()
    (tmp_path / ".deleted-.deleted-run_1").touch()  # where it would go
    remove_folder(left)
    assert not left.exists()


@pytest.fixture
def swept(make_run):
    """A sweep of two runs that were cancelled, beside one that is kept."""

    def make(engine):
        with writing(engine) as session:
            for name in ("swp_gone", "swp_kept"):
                session.add(SweepRow(id=name, name="s", spec={}, matrix={}, seeds=[], created_by="tester"))
        run_ids = [make_run(engine) for _ in range(3)]
        with writing(engine) as session:
            for run_id in run_ids:
                store.get_run(session, run_id).sweep_id = "swp_kept" if run_id == run_ids[2] else "swp_gone"
                store.cancel(session, run_id)
        return run_ids

    return make


def sweeps_listed(engine, **wanted):
    with reading(engine) as session:
        return [sweep.id for sweep in sweeps.list_sweeps(session, 9, None, **wanted)]


def outdate(engine, settings, *run_ids):
    with writing(engine) as session:
        past = now() - settings.delete_grace_s
        session.execute(update(RunRow).where(RunRow.id.in_(run_ids)).values(deleted_at=past))


def test_a_deleted_sweep_goes_with_its_runs_as_a_dry_run_of_gc_says(any_engine, settings, swept):
    one, two, kept = swept(any_engine)
    act(any_engine, sweeps.archive, "swp_kept")
    act(any_engine, sweeps.mark_deleted, "swp_gone")
    with reading(any_engine) as session:
        tallies = sweeps.tallies(session, ["swp_gone", "swp_kept"])
    assert [tally.states for tally in tallies.values()] == [{"cancelled": 2}, {"cancelled": 1}]
    assert tallies["swp_gone"].deleted_at and not tallies["swp_gone"].archived_at
    assert tallies["swp_kept"].archived_at and not tallies["swp_kept"].deleted_at
    assert [sweeps_listed(any_engine, **{mark: True}) for mark in ("deleted", "archived")] == [
        ["swp_gone"],
        ["swp_kept"],
    ]
    assert gc.plan(any_engine, settings).items == []
    outdate(any_engine, settings, one, two)
    with pytest.raises(ConflictError, match="too long ago"):
        act(any_engine, sweeps.undelete, "swp_gone", settings)
    promised = gc.plan(any_engine, settings)
    assert {(item.kind, item.name) for item in promised.items} == {
        ("deleted_run", one), ("deleted_run", two), ("empty_sweep", "swp_gone")
    }  # fmt: skip
    gc.collect(any_engine, settings, promised)
    left = rows_left(any_engine)
    assert (left["runs"], left["sweeps"]) == (1, 1)
    with reading(any_engine) as session:
        assert store.get_run(session, kept).archived_at


def test_a_deleted_sweep_comes_back_with_those_of_its_runs_whose_time_is_not_over(engine, settings, swept):
    one, two, _ = swept(engine)
    act(engine, removal.mark_deleted, one)
    outdate(engine, settings, one)
    act(engine, sweeps.undelete, "swp_gone", settings)  # it is not deleted: nothing changes
    act(engine, sweeps.mark_deleted, "swp_gone")
    assert sweeps_listed(engine) == ["swp_kept"]
    act(engine, sweeps.undelete, "swp_gone", settings)
    assert sweeps_listed(engine) == ["swp_kept", "swp_gone"]
    assert listed(engine, sweep="swp_gone") == [two]
    assert listed(engine, deleted=True) == [one]
