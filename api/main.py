"""The HTTP side: `create_app(settings)` builds it, `python -m api` serves it. Never imports torch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import HTMLResponse

from api.bell import Bell
from api.deps import SCHEMES, by_method, same_origin, who
from api.errors import add_error_handlers
from api.guards import Audited, Guards
from api.key_use import KeyUse
from api.metrics import Measured, Requests
from api.readiness import Readiness
from api.reference import add_reference, problems_as_problem_json
from api.routes import (
    audit,
    benchmarks,
    catalogue,
    checkpoints,
    evaluations,
    guidance,
    health,
    imports,
    keys,
    labels,
    logs,
    operator,
    readings,
    rollouts,
    runs,
    sessions,
    stream,
    sweeps,
    webhooks,
)
from api.schemas.base import Problem
from api.stream import News
from runs.access.keys import ensure_admin_key
from runs.db import make_engine
from runs.migrate import is_current
from runs.queue import make_celery
from runs.settings import Settings

NOT_BUILT = """<!doctype html><html lang="en"><title>TRAPO</title><h1>TRAPO is running</h1>
<p>The dashboard is not built. Run <code>make frontend</code> in the repository and reload;
the API's own page is at <a href="/docs">/docs</a>.</p></html>"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Nothing is opened before the app starts; then the database must be there and migrated."""
    settings = settings or Settings()
    app = FastAPI(
        title="TRAPO", version="1", summary="Train language models with TRAPO.", lifespan=_lifespan,
        docs_url=None, redoc_url=None, responses=refusals(400, 429),
    )  # fmt: skip
    app.state.settings = settings
    app.add_middleware(Audited)
    app.add_middleware(Guards, settings=settings)
    app.state.requests = Requests()
    app.add_middleware(Measured, requests=app.state.requests)
    add_error_handlers(app)
    app.include_router(health.router)
    app.include_router(
        operator.metrics_router, dependencies=[*SCHEMES, Depends(by_method)], responses=refusals(401, 403, 503)
    )
    app.include_router(_versioned())
    problems_as_problem_json(app)
    add_reference(app)
    if (settings.frontend_dir / "index.html").is_file():
        app.frontend("/", directory=settings.frontend_dir, fallback="index.html")
    else:
        app.add_api_route("/", lambda: HTMLResponse(NOT_BUILT), include_in_schema=False, response_class=HTMLResponse)
    return app


def _versioned() -> APIRouter:
    router = APIRouter(
        prefix="/api/v1", dependencies=[Depends(same_origin)], generate_unique_id_function=lambda route: route.name,
        responses=refusals(401, 403, 404, 409, 413, 422, 503),
    )  # fmt: skip
    router.include_router(sessions.open_router)
    for part in (
        runs, imports, labels, sweeps, readings, evaluations, guidance, logs, checkpoints, rollouts, benchmarks,
        catalogue, stream,
    ):  # fmt: skip
        router.include_router(part.router, dependencies=[*SCHEMES, Depends(by_method)])
    for part in (sessions, keys, audit, webhooks, operator):  # these say themselves what they need
        router.include_router(part.router, dependencies=[*SCHEMES, Depends(who)])
    return router


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    settings: Settings = app.state.settings
    app.state.engine = make_engine(settings.database_url)
    if not is_current(app.state.engine):
        raise RuntimeError("The database has not the newest schema. Run `python -m runs.migrate` first.")
    settings.home.mkdir(parents=True, exist_ok=True)
    ensure_admin_key(app.state.engine, settings.home)
    app.state.readiness = Readiness(app.state.engine)
    app.state.bell = Bell(make_celery(settings))
    app.state.news = News(app.state.engine)
    app.state.key_use = KeyUse(app.state.engine)
    flushing = asyncio.create_task(app.state.key_use.flush_often())
    yield {}
    flushing.cancel()
    app.state.key_use.flush()
    app.state.bell.close()
    app.state.engine.dispose()
