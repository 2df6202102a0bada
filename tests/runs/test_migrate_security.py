"""Revision 0004 with data, up and down, on both engines."""

import pytest
from alembic import command
from sqlalchemy import text

from runs.access import keys
from runs.access.keys import sha256
from runs.db import make_engine, reading
from runs.migrate import config


@pytest.fixture(params=["sqlite", "postgresql"])
def old_engine(request, tmp_path):
    """A database of before."""
    fresh = f"sqlite:///{tmp_path}/old.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = make_engine(fresh)
    migrate(made, command.upgrade, "0003")
    yield made
    made.dispose()


def migrate(engine, step, revision):
    with engine.execution_options(trapo_writing=True).begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        step(made, revision)


def one(engine, statement, **values):
    with engine.begin() as connection:
        found = connection.execute(text(statement), values)
        return found.one()[0] if found.returns_rows else None


def test_a_key_of_before_still_opens_and_may_submit(old_engine):
    secret = "a" * 43
    insert = "INSERT INTO api_keys VALUES ('000000000000', 'old', :digest, '[\"read\", \"write\"]', 1.0)"
    one(old_engine, insert, digest=sha256(secret))
    migrate(old_engine, command.upgrade, "0004")
    with reading(old_engine) as session:
        caller = keys.check_key(session, f"trapo_000000000000_{secret}")
    assert (caller.principal, caller.scopes) == ("old", ["read", "submit"])
    migrate(old_engine, command.downgrade, "0003")
    assert "write" in str(one(old_engine, "SELECT scopes FROM api_keys"))
    assert one(old_engine, "SELECT count(*) FROM sessions") == 0
