"""GET /audit: who did what."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Db, NeedsAdmin
from api.schemas.access import AuditEntry
from api.schemas.base import Page
from runs.access.audit import list_audit
from runs.db import reading

router = APIRouter(tags=["audit"], dependencies=[NeedsAdmin])


@router.get("/audit")
def list_audit_entries(
    db: Db,
    run_id: Annotated[str | None, Query(max_length=80)] = None,
    principal: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> Page[AuditEntry]:
    """Newest first. `done` is written in the same transaction as what was done."""
    with reading(db) as session:
        rows = list_audit(session, limit + 1, cursor, run_id=run_id, principal=principal)
    return Page.cut([AuditEntry.model_validate(row) for row in rows], limit, "id")
