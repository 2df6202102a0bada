"""Who did what: a row in the same transaction as the change, or by itself where something was refused."""

from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from runs.db import writing
from runs.tables import AuditRow

DONE, REFUSED, FAILED = "done", "refused", "failed"


@dataclass
class Author:
    """The caller of one request. `writing` of an engine that has an author notes each of its transactions."""

    method: str
    address: str
    route: str = ""
    principal: str = ""
    target: str | None = None
    run_id: str | None = None

    def note(self, session: Session, outcome: str = DONE, status: int | None = None) -> None:
        session.add(
            AuditRow(
                principal=self.principal, method=self.method, route=self.route[:200], address=self.address[:64],
                target=_short(self.target), run_id=_short(self.run_id or session.info.get("run_id")), outcome=outcome,
                status=status,
            )
        )  # fmt: skip


def record_refusal(engine: Engine, author: Author, status: int) -> None:
    with writing(engine) as session:
        author.note(session, REFUSED if status < 500 else FAILED, status)


def list_audit(
    session: Session, limit: int, before: int | None, *, run_id: str | None = None, principal: str | None = None
) -> list[AuditRow]:
    """Newest first; `before` is the last id of the page before."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    for column, value in ((AuditRow.run_id, run_id), (AuditRow.principal, principal)):
        if value is not None:
            query = query.where(column == value)
    return list(session.scalars(query if before is None else query.where(AuditRow.id < before)))


def _short(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "")[:80]
