"""`python -m runs.migrate`: bring the database to the newest schema. Safe to run twice and from two places at once."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select

from runs.db import WRITER_LOCK, make_engine
from runs.errors import ConflictError
from runs.settings import Settings

log = logging.getLogger("runs.migrate")


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.set_main_option("path_separator", "os")
    return made


def upgrade(engine: Engine) -> None:
    """To the newest revision, in one transaction."""
    _move(engine, command.upgrade, "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Back to an older revision, in one transaction; what only the newer one can hold is lost."""
    _move(engine, command.downgrade, revision)


def _move(engine: Engine, to: Callable[[Config, str], None], revision: str) -> None:
    with changing(engine) as connection:
        _run(connection, to, revision)


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """One transaction in which the schema may change, with nobody else writing."""
    writing = engine.execution_options(trapo_writing=True)
    with writing.connect() as connection, _without_cascades(connection), connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
        yield connection


def bring_to(connection: Connection, revision: str) -> None:
    """To that revision, up or down, in the caller's transaction. ConflictError if this program does not know it."""
    script = ScriptDirectory.from_config(config())
    newest_first = [step.revision for step in script.walk_revisions()]
    if revision == "head":
        revision = newest_first[0]
    if revision not in newest_first:
        raise ConflictError(f"The schema revision {revision} is not known here.", "Update the program first.")
    present = revision_of(connection)
    down = present is not None and newest_first.index(present) < newest_first.index(revision)
    _run(connection, command.downgrade if down else command.upgrade, revision)


def revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _run(connection: Connection, to: Callable[[Config, str], None], revision: str) -> None:
    made = config()
    made.attributes["connection"] = connection
    to(made, revision)


@contextmanager
def _without_cascades(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by writing it anew and dropping the old one, and dropping the old one would delete what
    refers to it. The switch does nothing inside a transaction, so it is set on the driver's connection before."""
    driver = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.cursor().execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.cursor().execute("PRAGMA foreign_keys=ON")


def is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        present = revision_of(connection)
    return present == newest()


@cache
def newest() -> str | None:
    """The newest revision that this program knows. It reads all of them, which takes as long as a slow request."""
    return ScriptDirectory.from_config(config()).get_current_head()


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    settings = Settings()
    engine = make_engine(settings.database_url)
    upgrade(engine)
    log.info("The database is at the newest schema (%s).", engine.url.render_as_string(hide_password=True))


if __name__ == "__main__":
    main()
