"""The HTTP side: `create_app(settings)` builds it, `python -m api` serves it. Never imports torch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import HTMLResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from api.deps import same_origin, who
from api.errors import add_error_handlers
from api.guards import Guards
from api.routes import (
    catalogue,
    checkpoints,
    health,
    labels,
    logs,
    readings,
    rollouts,
    runs,
    sessions,
    stream,
    sweeps,
)
from api.schemas import Problem
from api.stream import News
from runs.db import make_engine
from runs.keys import ensure_admin_key
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
        title="TRAPO", version="1", summary="Train language models with TRAPO.", lifespan=_lifespan, redoc_url=None
    )
    app.state.settings = settings
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts, www_redirect=False)
    app.add_middleware(Guards)
    add_error_handlers(app)
    app.include_router(health.router)
    app.include_router(_versioned())
    app.add_api_route("/api/v1/openapi.json", lambda: app.openapi(), include_in_schema=False)
    if (settings.frontend_dir / "index.html").is_file():
        app.frontend("/", directory=settings.frontend_dir, fallback="index.html")
    else:
        app.add_api_route("/", lambda: HTMLResponse(NOT_BUILT), include_in_schema=False, response_class=HTMLResponse)
    return app


def _versioned() -> APIRouter:
    router = APIRouter(
        prefix="/api/v1", dependencies=[Depends(same_origin)], generate_unique_id_function=lambda route: route.name,
        responses={status: {"model": Problem} for status in (401, 403, 404, 409, 422)},
    )  # fmt: skip
    router.include_router(sessions.open_router)
    for part in (runs, labels, sweeps, readings, logs, checkpoints, rollouts, catalogue, sessions, stream):
        router.include_router(part.router, dependencies=[Depends(who)])
    return router


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    settings: Settings = app.state.settings
    app.state.engine = make_engine(settings.database_url)
    if not is_current(app.state.engine):
        raise RuntimeError("The database has not the newest schema. Run `python -m runs.migrate` first.")
    settings.home.mkdir(parents=True, exist_ok=True)
    ensure_admin_key(app.state.engine, settings.home)
    app.state.celery = make_celery(settings)
    app.state.news = News(app.state.engine)
    yield {}
    app.state.celery.close()
    app.state.engine.dispose()
