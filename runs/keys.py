"""Who is asking: API keys, one-time login links and sessions. Only SHA-256 hashes of secrets are stored.

The secrets are 256 random bits, so a fast hash is as good as a slow one.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from runs.db import database_time, now, reading, writing
from runs.errors import UnauthenticatedError
from runs.tables import ApiKeyRow, LoginTokenRow, SessionRow

ADMIN_KEY_FILE = "admin-key"
ALL_SCOPES = ["read", "write", "admin"]
LOGIN_LINK_S = 600
_KEY = re.compile(r"trapo_([0-9a-f]{12})_([A-Za-z0-9_-]{40,60})")


@dataclass(frozen=True)
class Principal:
    """A known caller. `expires_at` is set for sessions."""

    principal: str
    scopes: list[str]
    expires_at: datetime | None = None


def make_key(session: Session, name: str, scopes: list[str]) -> str:
    """A new API key, shown once."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    session.add(ApiKeyRow(id=key_id, name=name, secret_sha256=sha256(secret), scopes=scopes))
    return f"trapo_{key_id}_{secret}"


def check_key(session: Session, key: str) -> Principal:
    match = _KEY.fullmatch(key)
    row = session.get(ApiKeyRow, match[1]) if match else None
    if match is None or row is None or not hmac.compare_digest(row.secret_sha256, sha256(match[2])):
        raise UnauthenticatedError("This API key is not known here.", f"The admin's key is in <home>/{ADMIN_KEY_FILE}.")
    return Principal(row.name, row.scopes)


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
        principal=principal.principal,
        scopes=principal.scopes,
        expires_at=now() + LOGIN_LINK_S,
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return token, row.expires_at


def spend_login_token(session: Session, token: str) -> Principal:
    """Deleting is using up: of two that come at once, one finds nothing."""
    statement = delete(LoginTokenRow).where(
        LoginTokenRow.token_sha256 == sha256(token), LoginTokenRow.expires_at > now()
    )
    found = session.execute(statement.returning(LoginTokenRow.principal, LoginTokenRow.scopes)).one_or_none()
    if found is None:
        raise UnauthenticatedError(
            "This login link was used or is older than ten minutes.", "Make another with `trapo login-link`."
        )
    return Principal(found.principal, found.scopes)


def open_session(session: Session, principal: Principal, hours: float) -> tuple[str, Principal]:
    """(cookie value, who it stands for)."""
    token = secrets.token_urlsafe(32)
    session.execute(delete(SessionRow).where(SessionRow.expires_at < now()))
    row = SessionRow(
        token_sha256=sha256(token),
        principal=principal.principal,
        scopes=principal.scopes,
        expires_at=now() + hours * 3600,
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return token, Principal(row.principal, row.scopes, row.expires_at)


def check_session(session: Session, token: str) -> Principal:
    row = session.scalar(select(SessionRow).where(SessionRow.token_sha256 == sha256(token)))
    if row is None or row.expires_at.timestamp() <= database_time(session):
        raise UnauthenticatedError("The session is over.", "Open a fresh login link.")
    return Principal(row.principal, row.scopes, row.expires_at)


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
