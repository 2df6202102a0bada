"""Plain ASGI around the app: security headers on every answer, and a bound on bodies. Nothing is buffered, so streams
stay streams."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

MAX_BODY_BYTES = 1 << 20
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
# FastAPI's documentation page loads its script from a CDN and starts it inline.
DOCS_CSP = (
    "default-src 'self' https://cdn.jsdelivr.net 'unsafe-inline'; img-src 'self' data: https://fastapi.tiangolo.com"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guards:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS | {"Content-Security-Policy": DOCS_CSP if scope["path"] == "/docs" else CSP})
            await send(message)

        if too_large(Headers(scope=scope)):
            answer = problem(
                413, "too_large", f"A body may have at most {MAX_BODY_BYTES} bytes, and must say how many it has."
            )
            return await answer(scope, receive, send_guarded)
        await self.app(scope, receive, send_guarded)


def too_large(headers: Headers) -> bool:
    """Also true for a body of unknown length: no client of ours sends one."""
    length = headers.get("content-length")
    if length is None:
        return "transfer-encoding" in headers
    return not length.isdigit() or int(length) > MAX_BODY_BYTES
