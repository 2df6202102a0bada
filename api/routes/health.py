"""For load balancers and humans in a hurry; no auth, no secrets."""

from fastapi import APIRouter, Request, Response

from api.readiness import Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": dict[str, str], "description": "Not ready; `status` says why."}})
async def readyz(request: Request, response: Response) -> dict[str, str]:
    """The database answers and has the newest schema. Redis may be away: runs then wait for a sweeper."""
    readiness: Readiness = request.app.state.readiness
    ready = await readiness.ready()
    response.status_code = 200 if ready else 503
    return {"status": "ok" if ready else "the database is away or not migrated"}
