"""gc: a dry run promises exactly what is freed, in bytes of the disk and rows of the database; what is named stays."""

import os

import pytest
from sqlalchemy import func, select, update

from runs.access import outbox
from runs.access.audit import Author
from runs.access.keys import check_key, make_login_token, open_session
from runs.db import AUTHOR, now, reading, writing
from runs.life import leases, removal, store
from runs.life.leases import Worker
from runs.record import checkpoints
from runs.tables import AuditRow, Base, DeliveryRow, IdempotencyRow, RunRow
from runs.upkeep import gc
from runs.upkeep.gc import Collected, Item, collect, plan, with_bytes

OLD = 7200


def age(folder):
    for path in (folder, *folder.rglob("*")):
        past = path.lstat().st_mtime - OLD
        os.utime(path, (past, past), follow_symlinks=False)


def bytes_on_disk(settings):
    found = {}
    for folder in (settings.home / "runs", settings.models_root):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                found[path.lstat().st_ino] = path.lstat().st_size
    return sum(found.values())


def rows_of(engine):
    with reading(engine) as session:
        return sum(session.scalar(select(func.count()).select_from(one)) for one in Base.metadata.sorted_tables)


@pytest.fixture
def messy(settings, make_run, fill):
    """A service with everything that may go, and beside it what looks like it and must stay."""

    def make(engine):
        run_id, key = fill(engine)
        with writing(engine) as session:
            lease = leases.Lease(run_id, 1, 2**53 + 1, {})
            leases.finish(session, lease, settings, reason="user_cancelled")
            removal.mark_deleted(session, run_id)
            caller = check_key(session, key)
            make_login_token(session, caller)
            open_session(session, caller, -1)  # over before it began
            store.remember(session, "alice", "old", {})
            kept = store.replayed(session, "alice", "k", {"a": 1}).id
        with writing(engine.execution_options(**{AUTHOR: Author("POST", "::1", "/runs", "a")})):
            pass
        with writing(engine) as session:
            session.execute(update(RunRow).where(RunRow.id == run_id).values(deleted_at=now() - 8 * 86_400))
            session.execute(update(IdempotencyRow).values(created_at=now() - 8 * 86_400))
            session.execute(update(AuditRow).where(AuditRow.id == 1).values(at=now() - 400 * 86_400))
            session.execute(update(DeliveryRow).values(delivered_at=now(), due_at=None, created_at=now() - 8 * 86_400))
            outbox.fill(session, kept, {"state": "queued"})
        runs = settings.home / "runs"
        for name in ("run_of_nobody", ".deleted-run_x", "run_just_made", f"{kept}/checkpoints/.step-000009.tmp"):
            (runs / name).mkdir(parents=True)
            (runs / name / "file").write_bytes(bytes(1000))
        other = settings.models_root / checkpoints.PROMOTED / "run_gone-step-000001"
        other.mkdir()
        (other / "model.safetensors").write_bytes(bytes(5000))
        (settings.models_root / ".half.tmp").mkdir()
        age(runs)
        age(settings.models_root)
        os.utime(runs / "run_just_made" / "file")
        return run_id, kept

    return make


def test_a_dry_run_promises_exactly_what_is_freed_in_bytes_of_the_disk_and_rows_of_the_database(
    any_engine, settings, messy
):
    run_id, kept = messy(any_engine)
    before = bytes_on_disk(settings), rows_of(any_engine)
    promised = plan(any_engine, settings)
    assert (bytes_on_disk(settings), rows_of(any_engine)) == before
    done = collect(any_engine, settings, plan(any_engine, settings))
    freed = done.freed
    assert (freed, done.failed) == (promised.items, [])
    assert before[0] - bytes_on_disk(settings) == sum(item.bytes for item in freed)
    assert before[1] - rows_of(any_engine) == sum(item.rows for item in freed)
    assert {(item.kind, item.name.replace(kept, "KEPT")) for item in freed} == {
        ("idempotency_keys", "idempotency"), ("sessions", "sessions"), ("deliveries", "deliveries"),
        ("audit_entries", "audit"), ("deleted_run", run_id), ("orphan_folder", "runs/run_of_nobody"),
        ("orphan_folder", "runs/.deleted-run_x"), ("leftover", "runs/KEPT/checkpoints/.step-000009.tmp"),
        ("leftover", "models/.half.tmp"), ("promoted_model", "models/promoted/run_gone-step-000001"),
    }  # fmt: skip
    assert plan(any_engine, settings).items == []
    with reading(any_engine) as session:
        assert store.get_run(session, kept).state == "queued"
        assert session.scalar(select(func.count()).select_from(DeliveryRow)) == 1
    assert (settings.home / "runs" / "run_just_made" / "file").exists()
    assert (settings.models_root / "best" / "model.safetensors").exists()


def test_a_model_stays_while_an_alias_a_run_or_a_link_names_it(engine, settings, make_run):
    for name in ("by_run", "by_link", "by_nobody"):
        (settings.models_root / checkpoints.PROMOTED / name).mkdir(parents=True)
    run_id = make_run(engine)
    with writing(engine) as session:
        run = store.get_run(session, run_id)
        run.spec = run.spec | {"model": {"source": "folder", "path": "promoted/by_run"}}
    (settings.models_root / "mine").symlink_to("promoted/by_link")
    age(settings.models_root)
    chosen = plan(engine, settings)
    assert [item.name for item in chosen.items] == ["models/promoted/by_nobody"]
    (settings.models_root / "late").symlink_to("promoted/by_nobody")
    assert collect(engine, settings, chosen) == Collected([], [])
    assert (settings.models_root / "late").is_dir()


def test_what_an_active_run_is_writing_stays(engine, settings, make_run):
    run_id = make_run(engine)
    with writing(engine) as session:
        leases.claim(session, run_id, Worker("w", "h", 0), 60)
    (settings.run_dir(run_id) / "checkpoints" / ".step-000001.tmp").mkdir(parents=True)
    age(settings.home / "runs")
    assert plan(engine, settings).items == []


def test_a_sweep_goes_with_its_last_run(any_engine, settings, make_run):
    run_id = make_run(any_engine)
    with writing(any_engine) as session:
        store.cancel(session, run_id)
        removal.mark_deleted(session, run_id)
        session.add(gc.SweepRow(id="swp_1", name="s", spec={}, matrix={}, seeds=[1], created_by="a"))
        session.execute(update(RunRow).values(sweep_id="swp_1", deleted_at=now() - 8 * 86_400))
    before = rows_of(any_engine)
    freed = collect(any_engine, settings, plan(any_engine, settings)).freed
    assert [item.kind for item in freed] == ["deleted_run", "empty_sweep"]
    assert before - rows_of(any_engine) == sum(item.rows for item in freed)


@pytest.fixture
def block(settings):
    """Lets nobody remove that folder under runs/, until what is returned is gone."""

    def make(name):
        in_its_way = settings.home / "runs" / f".deleted-{name}"
        in_its_way.touch()
        return in_its_way

    return make


def test_what_cannot_be_removed_is_told_with_the_reason_and_the_rest_is_freed(any_engine, settings, messy, block):
    run_id, _ = messy(any_engine)
    blocks = [block(name) for name in ("run_of_nobody", run_id)]
    before = bytes_on_disk(settings), rows_of(any_engine)
    promised = plan(any_engine, settings)
    done = collect(any_engine, settings, promised)
    assert [(one.kind, one.name) for one in done.failed] == [
        ("deleted_run", run_id), ("orphan_folder", "runs/run_of_nobody")
    ]  # fmt: skip
    assert all("Not a directory" in one.why for one in done.failed)
    failed = {one.name for one in done.failed}
    assert [item.name for item in done.freed] == [item.name for item in promised.items if item.name not in failed]
    assert before[0] - bytes_on_disk(settings) == sum(item.bytes for item in done.freed)
    assert before[1] - rows_of(any_engine) == sum(item.rows for item in done.freed)
    for one in blocks:
        one.unlink()
    again = collect(any_engine, settings, plan(any_engine, settings))
    assert ({item.name for item in again.freed}, again.failed) == (failed, [])


def test_a_sweep_stays_with_a_run_that_cannot_be_removed(any_engine, settings, make_run, block):
    run_id = make_run(any_engine)
    settings.run_dir(run_id).mkdir(parents=True)
    with writing(any_engine) as session:
        session.add(gc.SweepRow(id="swp_1", name="s", spec={}, matrix={}, seeds=[1], created_by="a"))
        store.cancel(session, run_id)
        session.execute(update(RunRow).values(sweep_id="swp_1", deleted_at=now() - 8 * 86_400))
    in_its_way = block(run_id)
    before = rows_of(any_engine)
    done = collect(any_engine, settings, plan(any_engine, settings))
    assert (done.freed, [one.name for one in done.failed]) == ([], [run_id])
    assert rows_of(any_engine) == before
    in_its_way.unlink()
    promised = plan(any_engine, settings).items
    assert collect(any_engine, settings, plan(any_engine, settings)).freed == promised


def test_a_file_whose_other_link_could_not_be_removed_is_not_counted_as_freed(engine, settings, block):
    runs = settings.home / "runs"
    for name in ("run_a", "run_b"):
        (runs / name).mkdir(parents=True)
    (runs / "run_a" / "file").write_bytes(bytes(10))
    os.link(runs / "run_a" / "file", runs / "run_b" / "file")
    age(runs)
    block("run_a")
    promised = plan(engine, settings)
    assert [item.bytes for item in promised.items] == [0, 10]
    done = collect(engine, settings, promised)
    assert [(item.name, item.bytes) for item in done.freed] == [("runs/run_b", 0)]


def test_an_import_that_is_being_read_stays_though_nobody_has_a_grace(any_engine, make_settings, make_run):
    settings, run_id = make_settings(delete_grace_s=0), make_run(any_engine)
    with writing(any_engine) as session:
        session.execute(update(RunRow).values(state="running", deleted_at=now()))
    assert plan(any_engine, settings).items == []
    with writing(any_engine) as session:
        session.execute(update(RunRow).values(deleted_at=now() - removal.IMPORT_S - 1))
    assert [item.name for item in collect(any_engine, settings, plan(any_engine, settings)).freed] == [run_id]


def test_a_file_with_two_links_is_freed_with_the_last_of_them(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10))
    os.link(tmp_path / "a", tmp_path / "b")
    items = [Item("k", name, "w", path=tmp_path / name) for name in "ab"]
    assert [item.bytes for item in with_bytes(items)] == [0, 10]
    assert [item.bytes for item in with_bytes(items[:1])] == [0]
