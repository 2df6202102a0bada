"""The migrated schema is the declared one, on both engines."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from runs.db import make_engine
from runs.migrate import is_current, upgrade
from runs.tables import Base


def test_migrations_make_exactly_the_declared_tables(any_engine):
    with any_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_upgrading_twice_changes_nothing(any_engine):
    upgrade(any_engine)
    assert is_current(any_engine)


def test_a_fresh_database_is_not_current(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path}/new.db")
    assert not is_current(engine)
    engine.dispose()
