"""Webhooks as rows: who is told of state changes, and the messages that wait to be sent (`webhooks.py`)."""

import base64
import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Double, delete, literal, or_, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from runs.db import database_time, now
from runs.errors import NotFoundError
from runs.tables import DeliveryRow, WebhookRow

ATTEMPTS = 16  # over about 18 hours
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 4 * 3600.0
CLAIM_S = 60.0  # longer than a sending takes: then another worker may try
SECRET = "whsec_"  # before the base64 of the key's bytes: the form of https://www.standardwebhooks.com
KEPT_S = 7 * 86_400.0


def make_webhook(session: Session, url: str, states: list[str], created_by: str) -> WebhookRow:
    """The caller has checked the URL (`webhooks.check_url`)."""
    secret = SECRET + base64.b64encode(secrets.token_bytes(32)).decode()
    row = WebhookRow(id=f"whk_{ULID()}", url=url, states=states, secret=secret, created_by=created_by)
    session.add(row)
    session.flush()
    return row


def list_webhooks(session: Session) -> list[WebhookRow]:
    return list(session.scalars(select(WebhookRow).order_by(WebhookRow.id)))


def get_webhook(session: Session, webhook_id: str) -> WebhookRow:
    row = session.get(WebhookRow, webhook_id)
    if row is None:
        raise NotFoundError(f"There is no webhook {webhook_id}.", "GET /api/v1/webhooks lists those there are.")
    return row


def deliveries(session: Session, webhook_id: str, limit: int) -> list[DeliveryRow]:
    """Newest first."""
    get_webhook(session, webhook_id)
    query = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook_id).order_by(DeliveryRow.id.desc())
    return list(session.scalars(query.limit(limit)))


def fill(session: Session, run_id: str, state: dict[str, Any]) -> None:
    """Put the news of a state change into the outbox, in the transaction that changes it."""
    hooks = [hook for hook in session.scalars(select(WebhookRow)) if not hook.states or state["state"] in hook.states]
    if not hooks:
        return
    at = datetime.fromtimestamp(database_time(session), UTC).isoformat()
    for hook in hooks:
        body = {"type": "run_state", "timestamp": at, "data": {"run_id": run_id, **state}}
        session.add(DeliveryRow(id=f"msg_{ULID()}", webhook_id=hook.id, body=body))


def is_due(session: Session) -> bool:
    return session.scalar(select(DeliveryRow.id).where(DeliveryRow.due_at <= now()).limit(1)) is not None


def forget(session: Session) -> None:
    """Those that ended a week ago."""
    session.execute(delete(DeliveryRow).where(out_of_date(now() - KEPT_S)))


def claim_due(session: Session) -> tuple[DeliveryRow, WebhookRow] | None:
    """A message to be sent now, and for a minute by nobody else."""
    due = select(DeliveryRow.id).where(DeliveryRow.due_at <= now()).order_by(DeliveryRow.due_at, DeliveryRow.id)
    claim = update(DeliveryRow).where(DeliveryRow.id == due.limit(1).scalar_subquery()).values(
        due_at=now() + CLAIM_S, attempts=DeliveryRow.attempts + 1
    )  # fmt: skip
    row = session.scalar(claim.returning(DeliveryRow))
    return None if row is None else (row, get_webhook(session, row.webhook_id))


def out_of_date(before: ColumnElement[float]) -> ColumnElement[bool]:
    """That a message from before then is delivered or given up."""
    ended = or_(DeliveryRow.delivered_at.is_not(None), DeliveryRow.due_at.is_(None))
    return ended & (DeliveryRow.created_at < before)


def note_sent(session: Session, sent: DeliveryRow, error: str | None) -> None:
    """It arrived (`error` None), or it will be tried again after a wait that doubles, or was tried often enough."""
    values: dict[str, Any] = {"last_error": error and error[:300]}
    if error is None:
        values |= {"delivered_at": now(), "due_at": None}
    else:
        values["due_at"] = None if sent.attempts >= ATTEMPTS else now() + wait_s(sent.attempts)
        _let_others_go_first(session, sent)
    session.execute(
        update(DeliveryRow).where(DeliveryRow.id == sent.id, DeliveryRow.attempts == sent.attempts).values(**values)
    )


def _let_others_go_first(session: Session, failed: DeliveryRow) -> None:
    """A receiver that is dead costs seconds for each message, and may have a thousand due: after one, other hooks have
    their turn. Only for the first wait: it may be this one message that the receiver does not take."""
    rested: ColumnElement[float] = literal(database_time(session) + FIRST_WAIT_S, Double())
    same_hook = (DeliveryRow.webhook_id == failed.webhook_id) & (DeliveryRow.id != failed.id)
    session.execute(update(DeliveryRow).where(same_hook, DeliveryRow.due_at < rested).values(due_at=rested))


def wait_s(attempt: int) -> float:
    return min(FIRST_WAIT_S * 2.0 ** (attempt - 1), LONGEST_WAIT_S)
