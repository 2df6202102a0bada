"""Backup → wipe → restore is equal by digest, on one database and from one to the other; and what is refused."""

import json
import os
import shutil
import tarfile
from contextlib import contextmanager

import pytest
from sqlalchemy import MetaData, func, select

from runs.access import keys
from runs.access.audit import list_audit
from runs.db import make_engine, reading, writing
from runs.errors import ArchiveError, ConflictError
from runs.life import leases, store
from runs.life.leases import Worker
from runs.migrate import downgrade, is_current, upgrade
from runs.record import checkpoints
from runs.record.ingest import ingest
from runs.settings import Settings
from runs.tables import EventRow, RunRow
from runs.upkeep import backup, kept_files, portable, restore
from runs.upkeep.archive import INDEX, check, read_manifest
from runs.upkeep.backup import contents_of, snapshot, take, verify
from runs.upkeep.portable import positions


def elsewhere(tmp_path, url=""):
    home = tmp_path / "elsewhere"
    made = Settings(_env_file=None, home=home, database_url=url, lease_s=1, heartbeat_s=0.1)
    return made, make_engine(made.database_url)


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_backup_wipe_restore_is_equal_by_digest_on_each_database_and_from_one_to_the_other(
    any_engine, settings, fill, tmp_path, postgres_url, target
):
    run_id, key = fill(any_engine)
    taken = take(any_engine, settings, tmp_path / "b.tar")
    assert taken["left_out"] == []
    before = contents_of(any_engine, settings).facts()
    assert taken == before | {"left_out": []} == verify(tmp_path / "b.tar")
    with snapshot(any_engine) as connection:
        numbers = positions(connection)
    shutil.rmtree(settings.home)

    settings, engine = elsewhere(tmp_path, "" if target == "sqlite" else postgres_url)
    restore.restore(engine, settings, tmp_path / "b.tar")
    assert contents_of(engine, settings).facts() == before
    assert is_current(engine)
    with snapshot(engine) as connection:
        assert positions(connection) == numbers
    with reading(engine) as session:
        assert keys.check_key(session, key).principal == "alice"
        assert store.get_run(session, run_id).tags == ["größe"]
        assert len(list_audit(session, 9, None)) == 1
    link = settings.models_root / "best"
    assert link.is_symlink() and (link / "model.safetensors").read_bytes() == b"weights" * 1000
    assert os.stat(link / "model.safetensors").st_nlink == 2
    assert not list(settings.home.rglob(".restoring"))
    engine.dispose()


def test_numbers_go_on_behind_the_highest_that_was_ever_given_out(any_engine, settings, fill, tmp_path, make_run):
    fill(any_engine)
    with writing(any_engine) as session:
        for run in session.scalars(select(RunRow).where(RunRow.state == "queued")):
            session.delete(run)
        seq = session.scalar(select(func.max(EventRow.seq)))
    with snapshot(any_engine) as connection:
        given = positions(connection)["events"]
    take(any_engine, settings, tmp_path / "b.tar")
    new, engine = elsewhere(tmp_path)
    restore.restore(engine, new, tmp_path / "b.tar")
    make_run(engine)
    with reading(engine) as session:
        assert session.scalar(select(func.max(EventRow.seq))) == given + 1 > seq
    engine.dispose()


def test_a_run_that_was_under_way_is_claimed_again_when_its_lease_is_over_and_loses_no_event(
    any_engine, settings, fill, tmp_path, until
):
    run_id, _ = fill(any_engine)
    with writing(any_engine) as session:
        run = store.get_run(session, run_id)
        leases.renew(session, leases.Lease(run_id, 1, run.fence, run.spec), 0.2)
    take(any_engine, settings, tmp_path / "b.tar")
    new, engine = elsewhere(tmp_path)
    restore.restore(engine, new, tmp_path / "b.tar")

    def expired():
        with writing(engine) as session:
            return leases.expire(session, new)

    until(expired)
    with writing(engine) as session:
        store.get_run(session, run_id).not_before = None
    with writing(engine) as session:
        lease = leases.claim(session, run_id, Worker("w2", "h2", 0), 60)
    assert (lease.attempt, lease.fence) == (2, 2**53 + 2)
    ingest(engine, lease, new.run_dir(run_id))
    with reading(engine) as session:
        assert store.get_run(session, run_id).step == 4
        assert store.get_run(session, run_id).segment == 1
    engine.dispose()


@pytest.mark.parametrize("present", [None, "0001", "head"])
def test_a_backup_of_an_older_schema_is_restored_at_its_revision_and_brought_to_the_newest(
    any_engine, settings, make_run, tmp_path, monkeypatch, present
):
    run_id = make_run(any_engine)
    downgrade(any_engine, "0003")
    older = MetaData()
    older.reflect(any_engine)
    with monkeypatch.context() as patch:
        patch.setattr(portable, "TABLES", [one for one in older.sorted_tables if one.name != "alembic_version"])
        patch.setattr(backup, "is_current", lambda _: True)
        take(any_engine, settings, tmp_path / "b.tar")
    assert read_manifest(tmp_path / "b.tar")["revision"] == "0003"
    new, other = elsewhere(tmp_path)
    if present:
        upgrade(other)
    if present == "0001":
        downgrade(other, "0001")
    restore.restore(other, new, tmp_path / "b.tar")
    assert is_current(other)
    with reading(other) as session:
        assert store.get_run(session, run_id).state == "queued"
    other.dispose()


def test_a_backup_of_a_newer_schema_is_refused(engine, settings, make_run, tmp_path, monkeypatch):
    make_run(engine)
    monkeypatch.setattr(backup, "revision_of", lambda _: "9999")
    take(engine, settings, tmp_path / "b.tar")
    new, other = elsewhere(tmp_path)
    with pytest.raises(ConflictError, match="9999"):
        restore.restore(other, new, tmp_path / "b.tar")
    assert not (new.home / "runs").exists()
    other.dispose()


def test_a_database_with_rows_or_a_folder_with_files_is_left_alone(engine, settings, fill, make_run, tmp_path):
    fill(engine)
    take(engine, settings, tmp_path / "b.tar")
    with pytest.raises(ConflictError, match="not empty"):
        restore.restore(engine, settings, tmp_path / "b.tar")
    new, other = elsewhere(tmp_path)
    mine = new.models_root / "mine"
    mine.mkdir(parents=True)
    with pytest.raises(ConflictError, match="not empty"):
        restore.restore(other, new, tmp_path / "b.tar")
    assert mine.is_dir() and not (new.home / "runs").exists()
    other.dispose()


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_one_wrong_byte_anywhere_is_found_and_nothing_is_changed(engine, settings, fill, tmp_path, where):
    fill(engine)
    take(engine, settings, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = [info for info in tar if info.size > 100]
    victim = names[int(len(names) * where)]
    with (tmp_path / "b.tar").open("r+b") as file:
        file.seek(victim.offset_data + 50)
        byte = file.read(1)[0]
        file.seek(victim.offset_data + 50)
        file.write(bytes([byte ^ 1]))
    new, other = elsewhere(tmp_path)
    with pytest.raises((ArchiveError, ConflictError)):
        restore.restore(other, new, tmp_path / "b.tar")
    assert not (new.home / "runs").exists()
    other.dispose()


def test_an_archive_that_was_cut_short_is_refused(engine, settings, fill, tmp_path):
    fill(engine)
    take(engine, settings, tmp_path / "b.tar")
    size = (tmp_path / "b.tar").stat().st_size
    for end in (0, 700, size // 2, size - 12_000):
        os.truncate(tmp_path / "b.tar", end)
        with pytest.raises(ArchiveError):
            check(tmp_path / "b.tar")
        take(engine, settings, tmp_path / "again.tar")
        (tmp_path / "again.tar").rename(tmp_path / "b.tar")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("runs/../../out", None), ("/runs/out", None), ("runs/a/../../../out", None), ("secrets/out", None),
        ("models/out", "/etc"), ("models/out", "../../etc"), ("models/out", "../runs/x"), ("runs", None),
    ],
)  # fmt: skip
def test_names_and_links_that_lead_out_are_refused(engine, settings, fill, tmp_path, name, target, monkeypatch):
    fill(engine)
    path = tmp_path / "b.tar"
    monkeypatch.setattr("runs.upkeep.kept_files.safe_link", lambda *_: True)
    if target is None:
        monkeypatch.setattr("runs.upkeep.kept_files.safe_name", lambda *_: True)
        below = "runs.upkeep.kept_files._below"
        monkeypatch.setattr(below, lambda _, path: iter([(name, path)]) if path.is_file() else [])
    else:
        (settings.models_root / "out").symlink_to(target)
    take(engine, settings, path)
    new, other = elsewhere(tmp_path)
    with pytest.raises(ArchiveError, match="lead out"):
        restore.restore(other, new, path)
    assert not new.home.exists() or not (new.home / "runs").exists()
    other.dispose()


def test_a_restore_that_fails_at_the_end_leaves_nothing(engine, settings, fill, tmp_path, monkeypatch):
    fill(engine)
    take(engine, settings, tmp_path / "b.tar")
    new, other = elsewhere(tmp_path)
    whole = restore._publish

    def broken(root):
        whole(root)
        if root.name == "models":
            raise OSError("the disk is gone")

    monkeypatch.setattr(restore, "_publish", broken)
    with pytest.raises(OSError, match="gone"):
        restore.restore(other, new, tmp_path / "b.tar")
    assert [path.name for path in new.home.iterdir() if path.is_dir()] == []
    monkeypatch.undo()
    restore.restore(other, new, tmp_path / "b.tar")
    assert contents_of(other, new).facts() == contents_of(engine, settings).facts()
    other.dispose()


def test_what_a_killed_restore_left_is_cleared_up_by_the_next(engine, settings, fill, tmp_path):
    fill(engine)
    take(engine, settings, tmp_path / "b.tar")
    new, other = elsewhere(tmp_path)
    half = new.home / "runs" / kept_files.STAGE
    (half.parent / "run_half").mkdir(parents=True)
    half.mkdir()
    (half / restore.NAMES).write_text(json.dumps(["run_half"]))
    restore.restore(other, new, tmp_path / "b.tar")
    assert contents_of(other, new).facts() == contents_of(engine, settings).facts()
    other.dispose()


def test_what_vanishes_meanwhile_is_noted_and_a_checkpoint_is_whole_or_left_out(
    engine, settings, fill, tmp_path, monkeypatch
):
    run_id, _ = fill(engine)
    folder = settings.run_dir(run_id) / "checkpoints" / "step-000003"
    whole = checkpoints.Path.open

    def going(path, *given, **more):
        if path.name == "state.json" and folder.exists():
            folder.rename(folder.with_name(f".{folder.name}.tmp"))
        return whole(path, *given, **more)

    monkeypatch.setattr("pathlib.Path.open", going)
    taken = take(engine, settings, tmp_path / "b.tar")
    monkeypatch.undo()
    assert [one["name"] for one in taken["left_out"]] == [f"runs/{run_id}/checkpoints/step-000003/trainer/state.json"]
    new, other = elsewhere(tmp_path)
    restore.restore(other, new, tmp_path / "b.tar")
    assert not (new.run_dir(run_id) / "checkpoints").exists()
    assert verify(tmp_path / "b.tar")["left_out"] == taken["left_out"]
    other.dispose()


def test_the_events_file_is_never_shorter_than_the_offset_of_its_row_while_a_run_goes_on(
    engine, settings, fill, tmp_path
):
    run_id, _ = fill(engine)
    take(engine, settings, tmp_path / "b.tar")
    new, other = elsewhere(tmp_path)
    restore.restore(other, new, tmp_path / "b.tar")
    with reading(other) as session:
        offset = store.get_run(session, run_id).events_offset
    assert offset < (new.run_dir(run_id) / "events.jsonl").stat().st_size
    other.dispose()


def test_a_backup_is_for_its_owner_only_and_never_replaces_or_contains_itself(engine, settings, fill, tmp_path):
    fill(engine)
    take(engine, settings, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0
    with pytest.raises(ArchiveError, match="already"):
        take(engine, settings, tmp_path / "b.tar")
    with pytest.raises(ArchiveError, match="part of itself"):
        take(engine, settings, settings.models_root / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert tar.getnames()[-1] == INDEX
        assert not [name for name in tar.getnames() if "admin-key" in name]


@pytest.fixture
def run_main(monkeypatch, settings):
    """A program of the service with its environment; what it says when it ends with an error."""

    def run(program, *arguments):
        monkeypatch.setenv("TRAPO_HOME", str(settings.home))
        monkeypatch.setattr("sys.argv", ["python", *map(str, arguments)])
        with pytest.raises(SystemExit) as refused:
            program.main()
        return str(refused.value)

    return run


def test_a_place_that_may_not_be_written_is_named_with_the_remedy(engine, run_main):
    said = run_main(backup, "/sys/b.tar")
    assert said.startswith("/sys/.b.tar.tmp: ")
    assert f"sudo install -d -o {os.geteuid()} -m 700" in said


@pytest.mark.parametrize("program", [backup, restore])
def test_a_backup_that_may_not_be_read_is_not_said_to_be_damaged(engine, settings, tmp_path, run_main, program):
    take(engine, settings, tmp_path / "b.tar")
    (tmp_path / "b.tar").chmod(0)
    options = ["--verify"] if program is backup else []
    with as_nobody():
        said = run_main(program, tmp_path / "b.tar", *options)
    assert "Permission denied. This runs as user" in said
    assert "damaged" not in said


@contextmanager
def as_nobody():
    """Root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)
