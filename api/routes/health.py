"""For load balancers and humans in a hurry; no auth, no secrets."""

from fastapi import APIRouter, Response

from api.deps import Db
from runs.db import AWAY
from runs.migrate import is_current

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": dict[str, str], "description": "Not ready; `status` says why."}})
def readyz(response: Response, db: Db) -> dict[str, str]:
    """The database answers and has the newest schema. Redis may be away: runs then wait for a sweeper."""
    try:
        ready = is_current(db)
    except AWAY:
        ready = False
    response.status_code = 200 if ready else 503
    return {"status": "ok" if ready else "the database is away or not migrated"}
