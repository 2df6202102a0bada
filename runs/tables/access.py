"""Tables of who may come in, what they did, and whom the service tells."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from runs.db import now
from runs.tables.base import Base, Serial


def of_key() -> ForeignKey:
    return ForeignKey("api_keys.id", ondelete="CASCADE")


class ApiKeyRow(Base):
    """`trapo_<id>_<secret>`: only hashes of secrets are kept. After a rotation the previous one works for a while."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now())
    created_by: Mapped[str] = mapped_column(String(40), default="")
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # by the minute
    previous_sha256: Mapped[str | None] = mapped_column(String(64))
    previous_expires_at: Mapped[datetime | None]


class LoginTokenRow(Base):
    """A one-time link. It and the session that comes of it go with the key that made them."""

    __tablename__ = "login_tokens"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(of_key())
    principal: Mapped[str] = mapped_column(String(40))
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime]


class SessionRow(Base):
    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(of_key())
    principal: Mapped[str] = mapped_column(String(40))
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime]


class AuditRow(Base):
    """One thing that somebody did, or was refused. It outlives the run and the key that it names."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_run_id", "run_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Serial, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now())
    principal: Mapped[str] = mapped_column(String(40))
    method: Mapped[str] = mapped_column(String(8))
    route: Mapped[str] = mapped_column(String(200))
    target: Mapped[str | None] = mapped_column(String(80))
    run_id: Mapped[str | None] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    status: Mapped[int | None]


class WebhookRow(Base):
    """Who is told of state changes. The secret signs, so it is kept as it is; it is shown once."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    states: Mapped[list[str]]
    secret: Mapped[str] = mapped_column(String(80))
    created_by: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=now())


class DeliveryRow(Base):
    """The outbox: written with the state change, sent by any worker, kept a while after its end."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_due_at", "due_at"), Index("ix_deliveries_webhook_id", "webhook_id"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now())
    attempts: Mapped[int] = mapped_column(BigInteger, default=0)
    due_at: Mapped[datetime | None] = mapped_column(default=now())  # null: delivered or given up
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(300))
