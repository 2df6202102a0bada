"""Keys, links and sessions: hashed, single, and over when they are over."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from runs import keys
from runs.db import now, reading, writing
from runs.errors import UnauthenticatedError
from runs.keys import Principal
from runs.tables import ApiKeyRow, LoginTokenRow, SessionRow

ALICE = Principal("alice", ["read"])


def test_a_key_is_known_by_its_hash_only(engine):
    with writing(engine) as session:
        key = keys.make_key(session, "alice", ["read"])
    with reading(engine) as session:
        assert keys.check_key(session, key) == ALICE
        stored = session.scalars(select(ApiKeyRow)).one()
        assert key.rpartition("_")[2] not in str(vars(stored))


@pytest.mark.parametrize("wrong", ["", "trapo_x_y", "trapo_000000000000_" + "a" * 43, "Bearer", "trapo_\0"])
def test_a_wrong_key_is_refused(engine, wrong):
    with reading(engine) as session, pytest.raises(UnauthenticatedError):
        keys.check_key(session, wrong)


def test_the_admin_key_is_made_once_and_only_its_owner_may_read_it(engine, settings, caplog):
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: keys.ensure_admin_key(engine, settings.home), range(4)))
    (path,) = paths
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with reading(engine) as session:
        assert keys.check_key(session, path.read_text().strip()).scopes == keys.ALL_SCOPES
        assert len(session.scalars(select(ApiKeyRow)).all()) == 1
    assert path.read_text().strip() not in caplog.text


def test_a_lost_admin_key_is_replaced(engine, settings):
    path = keys.ensure_admin_key(engine, settings.home)
    path.write_text("damaged")
    keys.ensure_admin_key(engine, settings.home)
    with reading(engine) as session:
        assert keys.check_key(session, path.read_text().strip()).principal == "admin"


def test_a_login_link_opens_once(any_engine):
    with writing(any_engine) as session:
        token, _ = keys.make_login_token(session, ALICE)
    with writing(any_engine) as session:
        assert keys.spend_login_token(session, token) == ALICE
    with pytest.raises(UnauthenticatedError, match="link"), writing(any_engine) as session:
        keys.spend_login_token(session, token)


def test_an_old_login_link_opens_nothing(engine):
    with writing(engine) as session:
        token, _ = keys.make_login_token(session, ALICE)
        session.execute(update(LoginTokenRow).values(expires_at=now() - 1))
        with pytest.raises(UnauthenticatedError):
            keys.spend_login_token(session, token)


def test_a_session_ends_by_time_or_by_logging_out(engine):
    with writing(engine) as session:
        late, _ = keys.open_session(session, ALICE, hours=1)
        assert keys.check_session(session, late).principal == "alice"
        session.execute(update(SessionRow).values(expires_at=now() - 1))
        with pytest.raises(UnauthenticatedError, match="over"):
            keys.check_session(session, late)
        token, _ = keys.open_session(session, ALICE, hours=1)
        keys.close_session(session, token)
        with pytest.raises(UnauthenticatedError):
            keys.check_session(session, token)
        assert session.scalars(select(SessionRow)).all() == [], "old sessions are swept out"
