"""Plain ASGI around the app: who is answered at all, security headers on every answer, and a note of what was refused.
Nothing is buffered, so streams stay streams."""

import logging
import math
from urllib.parse import urlsplit

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.throttle import Throttle
from runs.access.audit import Author, record_refusal
from runs.db import AWAY
from runs.settings import Settings

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20
LOGIN = "/api/v1/sessions"
IMPORTS = "/api/v1/imports"
ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
HSTS = {"Strict-Transport-Security": "max-age=31536000"}


class Guards:
    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.headers = HEADERS | (HSTS if settings.public_url.startswith("https:") else {})
        self.hosts = frozenset(host.lower().strip("[]") for host in settings.allowed_hosts)
        self.max_import_bytes = settings.max_import_bytes
        self.requests = Throttle(settings.requests_per_s, 2 * settings.requests_per_s)
        self.logins = Throttle(settings.logins_per_minute / 60, settings.logins_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope)
        await (answer or self.app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if host_of(headers) not in self.hosts:
            return problem(400, "unknown_host", "This service does not answer to that Host; see TRAPO_ALLOWED_HOSTS.")
        if devious(path):
            return problem(404, "not_found", "Nothing here has such a name.")
        if path not in ALWAYS_ANSWERED and (wait_s := self._wait_s(scope)):
            seconds = math.ceil(wait_s)
            text = f"Too many requests from this address; try again in {seconds} s."
            return problem(429, "too_many_requests", text, headers={"Retry-After": str(seconds)})
        if too_large(headers, limit := self._limit(path)):
            text = f"A body may have at most {limit} bytes, and must say how many it has."
            return problem(413, "too_large", text)
        return None

    def _limit(self, path: str) -> int:
        return self.max_import_bytes if f"{path}/".startswith(f"{IMPORTS}/") else MAX_BODY_BYTES

    def _wait_s(self, scope: Scope) -> float:
        address = address_of(scope)
        wait_s = self.requests.wait_s(address)
        if not wait_s and scope["method"] == "POST" and scope["path"] == LOGIN:
            wait_s = self.logins.wait_s(address)
        return wait_s


class Audited:
    """Gives every unsafe request an author (`api/deps.py: database`), and notes those that were refused. What a known
    caller or a login was refused is noted; what strangers try is not, for that would let them write."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            return await self.app(scope, receive, send)
        author = Author(scope["method"], address_of(scope))
        scope.setdefault("state", {})["author"] = author
        status = 500

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        finally:
            if status >= 400 and author.route and (author.principal or scope["path"] == LOGIN):
                try:
                    await run_in_threadpool(record_refusal, scope["app"].state.engine, author, status)
                except AWAY as error:
                    log.warning("Not noted in the audit log, for the database is away: %s answered %d", author, status)
                    log.debug("%s", error)


def address_of(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "local"


def host_of(headers: Headers) -> str | None:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


def devious(path: str) -> bool:
    """What no name here has, once the server has decoded it: a second encoding, a way up, a NUL, a backslash."""
    return any(part in path for part in ("\0", "\\", "%")) or ".." in path.split("/")


def too_large(headers: Headers, limit: int) -> bool:
    """Also true for a body of unknown length: no client of ours sends one."""
    length = headers.get("content-length")
    if length is None:
        return "transfer-encoding" in headers
    return not length.isdigit() or int(length) > limit
