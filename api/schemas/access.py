"""Who may: sessions, keys, the audit log and webhooks."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import Body, State

ScopeName = Literal["read", "submit", "admin"]


def _unique(names: list[str]) -> list[str]:
    return sorted(set(names))


class ApiKeyRequest(Body):
    """A key to be made. Without `expires_in_days` it lasts until it is deleted."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@\-]{0,39}$", description="Runs and audit log show it.")
    scopes: Annotated[list[ScopeName], AfterValidator(_unique)] = Field(["read", "submit"], min_length=1, max_length=3)
    expires_in_days: float | None = Field(None, gt=0, le=3650)


class RotateRequest(Body):
    overlap_s: float = Field(86_400, ge=0, le=30 * 86_400, description="How long the old secret still works.")


class ApiKey(Body):
    """A key without its secret. `last_used_at` is true to the minute."""

    id: str
    name: str
    scopes: list[ScopeName]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    previous_expires_at: datetime | None = Field(description="Until when the secret of before the rotation works.")


class NewApiKey(ApiKey):
    """A key with its secret, which no other answer shows."""

    key: str


class AuditEntry(Body):
    """One thing that somebody did or was refused. `target` is the first name in the route."""

    id: int
    at: datetime
    principal: str = Field(description="A key's name; empty for a login that failed.")
    method: str
    route: str
    target: str | None
    run_id: str | None
    address: str
    outcome: Literal["done", "refused", "failed"]
    status: int | None = Field(description="Of a refusal; null when it was done.")


class WebhookRequest(Body):
    """Whom to tell of runs that come into one of `states`; none means all states."""

    url: str = Field(max_length=2000, description="https only, and no private address.")
    states: Annotated[list[State], AfterValidator(_unique)] = Field([], max_length=10)


class Webhook(Body):
    id: str
    url: str
    states: list[State]
    created_by: str
    created_at: datetime


class NewWebhook(Webhook):
    """With the secret that signs, which no other answer shows."""

    secret: str


class Delivery(Body):
    """One message of a webhook. `due_at` is null when it was delivered or given up."""

    id: str
    created_at: datetime
    attempts: int
    due_at: datetime | None
    delivered_at: datetime | None
    last_error: str | None


class LoginLink(Body):
    """A link that opens the dashboard once, for ten minutes."""

    url: str
    expires_at: datetime


class LoginRequest(Body):
    """Exactly one of the two."""

    token: str | None = None
    api_key: str | None = None


class Session(Body):
    """Who is asking, and since when there is news: a stream after `newest_seq` tells all that happens from here on."""

    principal: str
    scopes: list[str]
    expires_at: datetime | None = None
    newest_seq: int
