"""Every refusal as `application/problem+json`; the one table from error to HTTP status."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from api.schemas.base import FieldError, Problem
from runs import errors as refused
from runs.db import AWAY
from trapo_core.errors import DiskError, SpecError, TrapoError

log = logging.getLogger(__name__)

STATUS: dict[type[TrapoError], tuple[int, str]] = {
    refused.NotFoundError: (404, "not_found"),
    refused.ConflictError: (409, "conflict"),
    refused.TooLargeError: (413, "too_large"),
    refused.ImportLineError: (422, "import_invalid"),
    refused.StaleError: (412, "precondition_failed"),
    refused.IdempotencyError: (422, "idempotency_key_reused"),
    refused.UnauthenticatedError: (401, "unauthenticated"),
    refused.ForbiddenError: (403, "forbidden"),
    SpecError: (422, "spec_invalid"),
    refused.NotYetError: (503, "not_yet"),
    DiskError: (507, "disk_full"),
}
SOON = {"Retry-After": "2"}
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: SOON}
CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "bad_request"}


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(TrapoError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    for away in AWAY:
        app.add_exception_handler(away, _database_away)
    app.add_exception_handler(DataError, _not_storable)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    status: int, code: str, detail: str, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None
) -> Response:
    body = Problem(
        type=f"about:blank#{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=errors or [],
    )
    return Response(body.model_dump_json(), status, headers, "application/problem+json")


def _domain_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, TrapoError)
    status, code = next((answer for kind, answer in STATUS.items() if isinstance(error, kind)), (422, error.reason))
    errors = [FieldError(pointer=p.pointer, message=p.message, hint=p.hint) for p in getattr(error, "problems", [])]
    return problem(status, code, str(error), errors, HEADERS.get(status))


def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    media = request.headers.get("Content-Type", "")
    errors = [
        FieldError(pointer=_pointer(found["loc"]), message=f"{found['msg']}.", hint=_hint(found, media))
        for found in error.errors()
    ]
    return problem(422, "request_invalid", " ".join(f"{e.pointer or '/'}: {e.message}" for e in errors), errors)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"))
    detail = f"{request.method} {request.url.path}: {error.detail}."
    headers = {name.title(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods_at(request)))  # the framework names those of one route only
    return problem(error.status_code, code, detail, headers=headers)


def _methods_at(request: Request) -> set[str]:
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path_regex is not None and route.path_regex.match(request.url.path):
            found |= route.methods or set()
    return found


def _database_away(_: Request, error: Exception) -> Response:
    log.warning("The database is away: %s", error)
    return problem(503, "database_away", "The database does not answer now; try again soon.", headers=SOON)


def _not_storable(_: Request, error: Exception) -> Response:
    log.info("The database takes no such value: %s", error)
    return problem(422, "request_invalid", "A value is none that the database can hold, such as text with a NUL.")


def _unexpected(request: Request, error: Exception) -> Response:
    # The server logs the trace itself; a caller learns only that it is not their fault.
    log.error("%s %s failed: %r", request.method, request.url.path, error)
    return problem(500, "internal_error", "The service failed on this request; its log says why.")


def _pointer(loc: tuple[int | str, ...]) -> str:
    """Within the body a JSON pointer; elsewhere with the place in front, such as /query/limit."""
    parts = loc[1:] if loc and loc[0] == "body" else loc
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _hint(found: dict[str, Any], media: str) -> str:
    if found["loc"] == ("body",) and isinstance(found.get("input"), bytes) and "json" not in media:
        return "Send Content-Type: application/json."  # curl -d sends that of a form
    if found["type"] == "json_invalid":
        return "The body must be JSON."
    if found["type"] == "extra_forbidden":
        return "See /docs for the fields there are."
    return f"Given: {found['input']!r}."[:200] if isinstance(found.get("input"), str | int | float) else ""
