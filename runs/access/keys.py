"""Who is asking: API keys, one-time login links and sessions. Only SHA-256 hashes of secrets are stored.

The secrets are 256 random bits, so a fast hash is as good as a slow one.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from runs.db import database_time, now, reading, writing
from runs.errors import ConflictError, NotFoundError, UnauthenticatedError
from runs.tables import ApiKeyRow, LoginTokenRow, SessionRow

ADMIN_KEY_FILE = "admin-key"
ALL_SCOPES = ["read", "submit", "admin"]
LOGIN_LINK_S = 600
_KEY = re.compile(r"trapo_([0-9a-f]{12})_([A-Za-z0-9_-]{40,60})")


@dataclass(frozen=True)
class Principal:
    """A known caller, by which key they came, and for how long."""

    principal: str
    scopes: list[str]
    key_id: str
    expires_at: datetime | None = None


def make_key(
    session: Session, name: str, scopes: list[str], *, expires_in_s: float | None = None, created_by: str = ""
) -> str:
    """A new API key, shown once."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = ApiKeyRow(id=key_id, name=name, secret_sha256=sha256(secret), scopes=scopes, created_by=created_by)
    row.expires_at = None if expires_in_s is None else now() + expires_in_s  # type: ignore[assignment]
    session.add(row)
    session.flush()
    return f"trapo_{key_id}_{secret}"


def make_named_key(session: Session, name: str, scopes: list[str], expires_in_s: float | None, by: str) -> str:
    """Like `make_key`, with a name that no other key has: runs and the audit log know their author by it."""
    if session.scalar(select(ApiKeyRow.id).where(ApiKeyRow.name == name)):
        raise ConflictError(f"There is a key named {name!r}.", "Take another name, or rotate that key.")
    return make_key(session, name, scopes, expires_in_s=expires_in_s, created_by=by)


def rotate_key(session: Session, key_id: str, overlap_s: float) -> str:
    """The key with a new secret, shown once; the old secret works for `overlap_s` more. With no overlap the old one is
    taken for stolen, so the sessions that it opened end too."""
    row, secret = get_key(session, key_id), secrets.token_urlsafe(32)
    values = {"previous_sha256": row.secret_sha256, "previous_expires_at": now() + overlap_s}
    session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(secret_sha256=sha256(secret), **values))
    if overlap_s == 0:
        for opened in (LoginTokenRow, SessionRow):
            session.execute(delete(opened).where(opened.key_id == key_id))
    session.refresh(row)
    return f"trapo_{key_id}_{secret}"


def get_key(session: Session, key_id: str) -> ApiKeyRow:
    row = session.get(ApiKeyRow, key_id)
    if row is None:
        raise NotFoundError(f"There is no API key {key_id}.", "GET /api/v1/api-keys lists those there are.")
    return row


def list_keys(session: Session, limit: int, after: str | None) -> list[ApiKeyRow]:
    """By id; `after` is the last id of the page before."""
    query = select(ApiKeyRow).order_by(ApiKeyRow.id).limit(limit)
    return list(session.scalars(query if after is None else query.where(ApiKeyRow.id > after)))


def delete_key(session: Session, key_id: str) -> None:
    """It, its login links and its sessions end now."""
    session.delete(get_key(session, key_id))


def key_id_of(key: str) -> str:
    return key.split("_")[1]


def check_key(session: Session, key: str) -> Principal:
    """One statement, for every request asks it."""
    match = _KEY.fullmatch(key)
    found = session.execute(select(ApiKeyRow, now()).where(ApiKeyRow.id == match[1])).one_or_none() if match else None
    if match is None or found is None or not _opens(found[0], sha256(match[2]), found[1]):
        raise UnauthenticatedError(
            "This API key is not known here, or its time is over.", f"The admin's key is in <home>/{ADMIN_KEY_FILE}."
        )
    row = found[0]
    return Principal(row.name, row.scopes, row.id, row.expires_at)


def _opens(row: ApiKeyRow, digest: str, at: float) -> bool:
    if row.expires_at is not None and row.expires_at.timestamp() <= at:
        return False
    if hmac.compare_digest(row.secret_sha256, digest):
        return True
    overlaps = row.previous_expires_at is not None and row.previous_expires_at.timestamp() > at
    return overlaps and hmac.compare_digest(row.previous_sha256 or "", digest)


def note_use(session: Session, key_ids: set[str]) -> None:
    session.execute(update(ApiKeyRow).where(ApiKeyRow.id.in_(key_ids)).values(last_used_at=now()))


def ensure_admin_key(engine: Engine, home: Path) -> Path:
    """The file with a working admin key, made at first start, readable by its owner only. Never logged."""
    path = home / ADMIN_KEY_FILE
    with reading(engine) as session:
        if _file_key_works(session, path):
            return path
    with writing(engine) as session:  # one writer at a time: of two apis that start together, one makes the key
        if not _file_key_works(session, path):
            _write_private(path, make_key(session, "admin", ALL_SCOPES) + "\n")
    return path


def make_login_token(session: Session, principal: Principal) -> tuple[str, datetime]:
    """A secret that opens one session within ten minutes, with its creator's name and scopes."""
    token = secrets.token_urlsafe(32)
    row = LoginTokenRow(
        token_sha256=sha256(token),
        key_id=principal.key_id,
        principal=principal.principal,
        scopes=principal.scopes,
        expires_at=now() + LOGIN_LINK_S,
    )
    session.add(row)
    session.flush()
    return token, row.expires_at


def spend_login_token(session: Session, token: str) -> Principal:
    """Deleting is using up: of two that come at once, one finds nothing."""
    statement = delete(LoginTokenRow).where(
        LoginTokenRow.token_sha256 == sha256(token), LoginTokenRow.expires_at > now()
    )
    found = session.execute(statement.returning(LoginTokenRow)).scalar_one_or_none()
    if found is None:
        raise UnauthenticatedError(
            "This login link was used or is older than ten minutes.", "Make another with `trapo login-link`."
        )
    return Principal(found.principal, found.scopes, found.key_id, get_key(session, found.key_id).expires_at)


def open_session(session: Session, principal: Principal, hours: float) -> tuple[str, Principal]:
    """(cookie value, who it stands for). It ends with its key at the latest."""
    token = secrets.token_urlsafe(32)
    session.execute(delete(SessionRow).where(SessionRow.expires_at < now()))
    ends_at = database_time(session) + hours * 3600
    if principal.expires_at is not None:
        ends_at = min(ends_at, principal.expires_at.timestamp())
    row = SessionRow(
        token_sha256=sha256(token),
        key_id=principal.key_id,
        principal=principal.principal,
        scopes=principal.scopes,
        expires_at=datetime.fromtimestamp(ends_at, UTC),
    )
    session.add(row)
    session.flush()
    return token, Principal(row.principal, row.scopes, row.key_id, row.expires_at)


def check_session(session: Session, token: str) -> Principal:
    known = select(SessionRow).where(SessionRow.token_sha256 == sha256(token), SessionRow.expires_at > now())
    row = session.scalar(known)
    if row is None:
        raise UnauthenticatedError("The session is over.", "Open a fresh login link.")
    return Principal(row.principal, row.scopes, row.key_id, row.expires_at)


def close_session(session: Session, token: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.token_sha256 == sha256(token)))


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _file_key_works(session: Session, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        check_key(session, path.read_text().strip())
    except UnauthenticatedError:
        return False
    return True


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.rename(path)
