"""The migrated schema is the declared one, on both engines."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from runs.db import make_engine, reading, writing
from runs.life import leases, store
from runs.life.leases import Worker
from runs.migrate import downgrade, is_current, newest, upgrade
from runs.tables import Base


def test_migrations_make_exactly_the_declared_tables(any_engine):
    with any_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _is_of(any_engine.dialect.name)})
        assert compare_metadata(context, Base.metadata) == []


def _is_of(dialect):
    """That something is declared for this database; `compare_metadata` does not know `ddl_if`."""

    def included(thing, name, kind, *_):
        return kind != "foreign_key_constraint" or thing.table.name != "points" or dialect == "sqlite"

    return included


def test_only_sqlite_checks_the_series_of_each_point(any_engine):
    assert bool(inspect(any_engine).get_foreign_keys("points")) == (any_engine.dialect.name == "sqlite")


def test_upgrading_twice_changes_nothing(any_engine):
    upgrade(any_engine)
    assert is_current(any_engine)


def test_a_fresh_database_is_not_current(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path}/new.db")
    assert not is_current(engine)
    engine.dispose()


def test_the_revisions_are_read_once_however_often_somebody_asks(engine):
    newest.cache_clear()
    assert [is_current(engine) for _ in range(3)] == [True] * 3
    assert newest.cache_info().misses == 1


def test_down_and_up_again_loses_no_run_and_nothing_that_refers_to_it(any_engine, make_run):
    wished, without = make_run(any_engine, resources={"gpus": 0}), make_run(any_engine)
    with writing(any_engine) as session:
        store.remember(session, "tester", "key", {}, run_id=wished)
        leases.claim(session, wished, Worker("w", "h", 0), 60)
    downgrade(any_engine, "0001")
    with any_engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 3
        assert connection.exec_driver_sql("SELECT count(*) FROM runs WHERE gpus = 0").scalar() == 2
    upgrade(any_engine)
    with reading(any_engine) as session:
        assert (store.get_run(session, wished).gpus, store.get_run(session, without).gpus) == (0, None)
        assert len(store.attempts(session, wished)) == 1
        assert store.replayed(session, "tester", "key", {}).id == wished
    upgrade(any_engine)
