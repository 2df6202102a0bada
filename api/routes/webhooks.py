"""Webhooks: whom the service tells of state changes. Made and taken back by an admin."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.deps import Admin, Db, NeedsAdmin
from api.schemas.access import Delivery, NewWebhook, Webhook, WebhookRequest
from api.schemas.base import Page
from runs.access import outbox
from runs.access.webhooks import check_url
from runs.db import reading, writing

router = APIRouter(prefix="/webhooks", tags=["webhooks"], dependencies=[NeedsAdmin])
WebhookId = Annotated[str, Path(pattern=r"^whk_[0-9A-Z]{26}$")]


@router.post("", status_code=201)
def make_webhook(body: WebhookRequest, db: Db, caller: Admin) -> NewWebhook:
    """From now on state changes are posted to the URL, signed with the secret that this answer alone shows."""
    check_url(body.url)
    with writing(db) as session:
        row = outbox.make_webhook(session, body.url, list(body.states), caller.principal)
        return NewWebhook(**Webhook.model_validate(row).model_dump(), secret=row.secret)


@router.get("")
def list_webhooks(db: Db) -> Page[Webhook]:
    with reading(db) as session:
        return Page(data=[Webhook.model_validate(row) for row in outbox.list_webhooks(session)])


@router.get("/{webhook_id}/deliveries")
def list_deliveries(webhook_id: WebhookId, db: Db, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Page[Delivery]:
    """The newest messages, and what became of them."""
    with reading(db) as session:
        return Page(data=[Delivery.model_validate(row) for row in outbox.deliveries(session, webhook_id, limit)])


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: WebhookId, db: Db) -> None:
    with writing(db) as session:
        session.delete(outbox.get_webhook(session, webhook_id))
