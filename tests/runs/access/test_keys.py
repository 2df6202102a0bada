"""Keys, links and sessions: hashed, single, and over when they are over."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from runs.access import keys
from runs.db import now, reading, writing
from runs.errors import ConflictError, NotFoundError, UnauthenticatedError
from runs.tables import ApiKeyRow, LoginTokenRow, SessionRow


@pytest.fixture
def alice(any_engine):
    """Alice's key."""
    with writing(any_engine) as session:
        return keys.make_key(session, "alice", ["read"])


def opened(engine, key):
    with reading(engine) as session:
        return keys.check_key(session, key)


def test_a_key_is_known_by_its_hash_only(any_engine, alice):
    found = opened(any_engine, alice)
    assert (found.principal, found.scopes, found.key_id) == ("alice", ["read"], keys.key_id_of(alice))
    with reading(any_engine) as session:
        assert alice.split("_", 2)[2] not in str(vars(session.scalars(select(ApiKeyRow)).one()))


def test_a_key_ends_at_its_time(any_engine):
    with writing(any_engine) as session:
        key = keys.make_key(session, "brief", ["read"], expires_in_s=60)
    assert opened(any_engine, key).expires_at is not None
    with writing(any_engine) as session:
        session.execute(update(ApiKeyRow).values(expires_at=now() - 1))
    with pytest.raises(UnauthenticatedError, match="over"):
        opened(any_engine, key)


def test_a_rotated_key_has_two_secrets_until_the_overlap_ends(any_engine, alice):
    with writing(any_engine) as session:
        fresh = keys.rotate_key(session, keys.key_id_of(alice), overlap_s=60)
    assert keys.key_id_of(fresh) == keys.key_id_of(alice)
    assert opened(any_engine, fresh) == opened(any_engine, alice)
    with writing(any_engine) as session:
        session.execute(update(ApiKeyRow).values(previous_expires_at=now() - 1))
    assert opened(any_engine, fresh).principal == "alice"
    with pytest.raises(UnauthenticatedError):
        opened(any_engine, alice)


def test_a_rotation_without_overlap_ends_the_sessions_of_the_old_secret(any_engine, alice):
    caller = opened(any_engine, alice)
    with writing(any_engine) as session:
        token, _ = keys.open_session(session, caller, hours=1)
        keys.rotate_key(session, caller.key_id, overlap_s=0)
    for check, secret in ((keys.check_session, token), (keys.check_key, alice)):
        with reading(any_engine) as session, pytest.raises(UnauthenticatedError):
            check(session, secret)


def test_a_deleted_key_takes_its_links_and_sessions_along(any_engine, alice):
    caller = opened(any_engine, alice)
    with writing(any_engine) as session:
        cookie, _ = keys.open_session(session, caller, hours=1)
        link, _ = keys.make_login_token(session, caller)
    with writing(any_engine) as session:
        keys.delete_key(session, caller.key_id)
    for check, secret in ((keys.check_key, alice), (keys.check_session, cookie), (keys.spend_login_token, link)):
        with writing(any_engine) as session, pytest.raises(UnauthenticatedError):
            check(session, secret)
    with writing(any_engine) as session, pytest.raises(NotFoundError):
        keys.delete_key(session, caller.key_id)


def test_a_session_ends_with_its_key_at_the_latest(any_engine):
    with writing(any_engine) as session:
        caller = keys.check_key(session, keys.make_key(session, "brief", ["read"], expires_in_s=60))
        token, _ = keys.make_login_token(session, caller)
        _, opened = keys.open_session(session, keys.spend_login_token(session, token), hours=24)
        assert opened.expires_at == caller.expires_at


def test_two_keys_of_one_name_are_refused(any_engine, alice):
    with writing(any_engine) as session, pytest.raises(ConflictError, match="alice"):
        keys.make_named_key(session, "alice", ["read"], None, "admin")


def test_the_last_use_is_noted(any_engine, alice):
    with writing(any_engine) as session:
        keys.note_use(session, {keys.key_id_of(alice)})
    with reading(any_engine) as session:
        assert keys.get_key(session, keys.key_id_of(alice)).last_used_at is not None


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


def test_a_login_link_opens_once(any_engine, alice):
    caller = opened(any_engine, alice)
    with writing(any_engine) as session:
        token, _ = keys.make_login_token(session, caller)
    with writing(any_engine) as session:
        assert keys.spend_login_token(session, token) == caller
    with pytest.raises(UnauthenticatedError, match="link"), writing(any_engine) as session:
        keys.spend_login_token(session, token)


def test_an_old_login_link_opens_nothing(any_engine, alice):
    caller = opened(any_engine, alice)
    with writing(any_engine) as session:
        token, _ = keys.make_login_token(session, caller)
        session.execute(update(LoginTokenRow).values(expires_at=now() - 1))
        with pytest.raises(UnauthenticatedError):
            keys.spend_login_token(session, token)


def test_a_session_ends_by_time_or_by_logging_out(any_engine, alice):
    caller = opened(any_engine, alice)
    with writing(any_engine) as session:
        late, _ = keys.open_session(session, caller, hours=1)
        assert keys.check_session(session, late).principal == "alice"
        session.execute(update(SessionRow).values(expires_at=now() - 1))
        with pytest.raises(UnauthenticatedError, match="over"):
            keys.check_session(session, late)
        token, _ = keys.open_session(session, caller, hours=1)
        keys.close_session(session, token)
        with pytest.raises(UnauthenticatedError):
            keys.check_session(session, token)
        assert session.scalars(select(SessionRow)).all() == [], "old sessions are swept out"
