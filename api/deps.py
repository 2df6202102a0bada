"""What routes need, by name in their signatures: the database, the settings, and who is asking."""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from celery import Celery
from fastapi import Depends, Request
from sqlalchemy import Engine

from runs import keys
from runs.db import reading
from runs.errors import ForbiddenError, UnauthenticatedError
from runs.keys import Principal
from runs.settings import Settings

COOKIE = "trapo_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def database(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def doorbell(request: Request) -> Celery:
    celery: Celery = request.app.state.celery
    return celery


Db = Annotated[Engine, Depends(database)]
Config = Annotated[Settings, Depends(settings_of)]
Doorbell = Annotated[Celery, Depends(doorbell)]


def same_origin(request: Request, config: Config) -> None:
    """A browser sends its cookie along with any page's request, so such a request must say that it is ours."""
    if request.method in SAFE_METHODS or _bearer(request):
        return
    origin = request.headers.get("origin")
    if origin is None and COOKIE not in request.cookies:
        return  # no browser session, nothing to abuse
    ours = {request.headers.get("host", ""), urlsplit(config.public_url).netloc}
    if origin is None or urlsplit(origin).netloc not in ours:
        raise ForbiddenError(
            f"A request from {origin or 'nowhere'} may not use this session.",
            "Use the dashboard's own page, or an API key.",
        )


def _bearer(request: Request) -> str:
    """The API key of the request, or nothing. Other schemes are no proof of ours: browsers send Basic by themselves."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def who(request: Request, db: Db) -> Principal:
    """The caller, by API key or by session cookie."""
    key = _bearer(request)
    with reading(db) as session:
        if key:
            return keys.check_key(session, key)
        if cookie := request.cookies.get(COOKIE):
            return keys.check_session(session, cookie)
    raise UnauthenticatedError(
        "No API key and no session.", "Send `Authorization: Bearer trapo_…`, or open a login link."
    )


Caller = Annotated[Principal, Depends(who)]


def require(scope: str) -> Callable[[Principal], Principal]:
    def check(caller: Caller) -> Principal:
        if scope not in caller.scopes:
            raise ForbiddenError(
                f"This needs the scope {scope!r}; {caller.principal} has {', '.join(caller.scopes)}.",
                "Use another key.",
            )
        return caller

    return check


NeedsWrite = Depends(require("write"))
Writer = Annotated[Principal, NeedsWrite]
