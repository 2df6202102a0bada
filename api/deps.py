"""What routes need, by name in their signatures: the database, the settings, and who is asking.

What does not wait is `async`: FastAPI takes every other function to a thread of its own and back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import Annotated, Literal, TypeVar

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy import Engine

from api.bell import Bell
from api.guards import SAFE_METHODS
from api.key_use import KeyUse
from runs.access import keys
from runs.access.audit import Author
from runs.access.keys import Principal
from runs.db import AUTHOR, reading
from runs.errors import ForbiddenError, UnauthenticatedError
from runs.settings import Settings

COOKIE = "trapo_session"
RECHECK_S = 15.0
Sent = TypeVar("Sent")
ScopeName = Literal["read", "submit", "admin"]
# For the documentation; `who` looks for itself, so that its refusals say what to do.
SCHEMES = [
    Depends(HTTPBearer(scheme_name="api_key", auto_error=False)),
    Depends(APIKeyCookie(name=COOKIE, scheme_name="session", auto_error=False)),
]


async def database(request: Request) -> Engine:
    """What an unsafe request writes by this engine is noted as its author's, in the same transaction."""
    engine: Engine = request.app.state.engine
    author: Author | None = getattr(request.state, "author", None)
    if author is None:
        return engine
    names, template = request.path_params, request.scope["route"].path
    # A route knows its path without the prefix of the routers around it.
    prefix = request.url.path.split("/")[: -template.count("/")]
    author.route = "/".join(prefix) + template
    author.run_id, author.target = names.get("run_id"), next(iter(names.values()), None)
    return engine.execution_options(**{AUTHOR: author})


async def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def doorbell(request: Request) -> Bell:
    bell: Bell = request.app.state.bell
    return bell


Db = Annotated[Engine, Depends(database)]
Config = Annotated[Settings, Depends(settings_of)]
Doorbell = Annotated[Bell, Depends(doorbell)]


async def same_origin(request: Request, config: Config) -> None:
    """A browser sends its cookie along with any page's request, so such a request must say that it is ours."""
    if request.method in SAFE_METHODS or _bearer(request):
        return
    origin = request.headers.get("origin")
    if origin is None and COOKIE not in request.cookies:
        return  # no browser session, nothing to abuse
    scheme = "https" if config.public_url.startswith("https:") else "http"
    if origin not in {config.public_url, f"{scheme}://{request.headers.get('host', '')}"}:
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
    caller = _known(request, db)
    use: KeyUse = request.app.state.key_use
    use.note(caller.key_id)
    return sign(request, caller)


def _known(request: Request, db: Engine) -> Principal:
    key, cookie = _bearer(request), request.cookies.get(COOKIE)
    if not (key or cookie):
        raise UnauthenticatedError(
            "No API key and no session.", "Send `Authorization: Bearer trapo_…`, or open a login link."
        )
    with reading(db) as session:
        return keys.check_key(session, key) if key else keys.check_session(session, cookie or "")


class Admitted:
    """Lets a stream go on for as long as its caller would still be let in."""

    def __init__(self, request: Request, db: Db) -> None:
        self._request, self._db = request, db

    async def while_known(self, events: AsyncIterator[Sent]) -> AsyncIterator[Sent]:
        """`events`, none of which is sent later than `RECHECK_S` after the caller's key or session has ended."""
        checked_at = monotonic()
        async for event in events:
            if monotonic() - checked_at >= RECHECK_S:
                try:
                    await run_in_threadpool(_known, self._request, self._db)
                except UnauthenticatedError:
                    return
                checked_at = monotonic()
            yield event


def sign(request: Request, caller: Principal) -> Principal:
    """What this request changes is the caller's doing."""
    if author := getattr(request.state, "author", None):
        author.principal = caller.principal
    return caller


Caller = Annotated[Principal, Depends(who)]
Streaming = Annotated[Admitted, Depends()]


def require(scope: ScopeName) -> Callable[[Principal], Awaitable[Principal]]:
    async def check(caller: Caller) -> Principal:
        _check_scope(caller, scope)
        return caller

    return check


async def by_method(request: Request, caller: Caller) -> None:
    """What a route needs that says nothing else: `read` to look, `submit` to change. `:query` asks by POST."""
    looks = request.method in SAFE_METHODS or request.url.path.endswith(":query")
    _check_scope(caller, "read" if looks else "submit")


def _check_scope(caller: Principal, scope: ScopeName) -> None:
    if scope not in caller.scopes:
        raise ForbiddenError(
            f"This needs the scope {scope!r}; {caller.principal} has {', '.join(caller.scopes) or 'none'}.",
            "Use another key.",
        )


NeedsSubmit = Depends(require("submit"))
NeedsAdmin = Depends(require("admin"))
Submitter = Annotated[Principal, NeedsSubmit]
Admin = Annotated[Principal, NeedsAdmin]
