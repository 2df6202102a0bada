"""Into the dashboard: a one-time link, a session cookie, and out again."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Request, Response

from api.deps import COOKIE, Caller, Config, Db, Submitter, sign
from api.schemas.access import LoginLink, LoginRequest, Session
from runs.access import keys
from runs.db import reading, writing
from runs.errors import UnauthenticatedError
from runs.life import store

open_router = APIRouter(tags=["sessions"])  # for those who have no session yet
router = APIRouter(tags=["sessions"])


@router.post("/login-links")
def make_login_link(db: Db, config: Config, caller: Submitter) -> LoginLink:
    """A link that opens the dashboard once; the token is behind the #, so no server log sees it."""
    with writing(db) as session:
        token, expires_at = keys.make_login_token(session, caller)
    return LoginLink(url=f"{config.public_url}/login#token={token}", expires_at=expires_at)


@open_router.post("/sessions")
def open_session(body: LoginRequest, request: Request, response: Response, db: Db, config: Config) -> Session:
    """Log in by one-time token or by API key; sets the session cookie."""
    if (body.token is None) == (body.api_key is None):
        raise UnauthenticatedError(
            "Exactly one of token and api_key is needed.", "Open a login link, or paste an API key."
        )
    with writing(db) as session:
        caller = (
            keys.check_key(session, body.api_key) if body.api_key else keys.spend_login_token(session, body.token or "")
        )
        token, opened = keys.open_session(session, sign(request, caller), config.session_hours)
        newest = store.newest_seq(session)
    response.set_cookie(
        COOKIE, token, max_age=int(config.session_hours * 3600), httponly=True, samesite="strict",
        secure=config.public_url.startswith("https:"),
    )  # fmt: skip
    return _told(opened, newest)


@router.delete("/sessions", status_code=204)
def close_session(response: Response, db: Db, trapo_session: Annotated[str, Cookie()] = "") -> None:
    with writing(db) as session:
        keys.close_session(session, trapo_session)
    response.delete_cookie(COOKIE)


@router.get("/session")
def get_session(db: Db, caller: Caller) -> Session:
    with reading(db) as session:
        return _told(caller, store.newest_seq(session))


def _told(who: keys.Principal, newest_seq: int) -> Session:
    return Session(principal=who.principal, scopes=who.scopes, expires_at=who.expires_at, newest_seq=newest_seq)
