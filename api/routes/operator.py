"""What an operator asks: POST /gc, for admins, and GET /metrics, for a scraper with a key that may read."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from api.deps import Config, Db, NeedsAdmin
from api.metrics import CONTENT_TYPE, Requests, render
from api.schemas.operator import GcFailure, GcItem, GcReport
from api.stream import News
from runs.db import AUTHOR, writing
from runs.life.figures import read_figures
from runs.upkeep import gc

router = APIRouter(tags=["operator"])
metrics_router = APIRouter(tags=["operator"])


@router.post("/gc", dependencies=[NeedsAdmin])
def collect_garbage(db: Db, config: Config, dry_run: bool = False) -> GcReport:
    """Free what nothing needs any more; `failed` names what could not be removed. With `dry_run` nothing changes, and
    the answer is what would be freed."""
    # Its many small transactions are one deed in the audit log.
    plain = db.execution_options(**{AUTHOR: None})
    chosen = gc.plan(plain, config)
    if not dry_run:
        with writing(db):
            pass
    done = gc.Collected(chosen.items, []) if dry_run else gc.collect(plain, config, chosen)
    items = [GcItem.model_validate(item) for item in done.freed]
    failed = [GcFailure.model_validate(one) for one in done.failed]
    sums = {"bytes": sum(item.bytes for item in items), "rows": sum(item.rows for item in items)}
    return GcReport(dry_run=dry_run, items=items, failed=failed, **sums)


@metrics_router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(request: Request, db: Db, config: Config) -> PlainTextResponse:
    """In Prometheus' text format."""
    requests: Requests = request.app.state.requests
    news: News = request.app.state.news
    text = render(read_figures(db, config), requests, news.clients)
    return PlainTextResponse(text, media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})
