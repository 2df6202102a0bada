"""Keys that expire and rotate, sessions that end with their key, the audit log, webhooks and their outbox"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

import runs.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY_COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column("created_by", sa.String(40), nullable=False, server_default=""),
    sa.Column("expires_at", runs.db.Instant()),
    sa.Column("last_used_at", runs.db.Instant()),
    sa.Column("previous_sha256", sa.String(64)),
    sa.Column("previous_expires_at", runs.db.Instant()),
)


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as batch:
        for column in KEY_COLUMNS:
            batch.add_column(column.copy())
    _rename_scope("write", "submit")
    _sessions_anew(
        lambda: [sa.Column("key_id", sa.String(16), sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False)]
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
        sa.Column("at", runs.db.Instant(), nullable=False),
        sa.Column("principal", sa.String(40), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("target", sa.String(80)),
        sa.Column("run_id", sa.String(80)),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("status", sa.Integer()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_run_id", "audit", ["run_id"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(80), nullable=False),
        sa.Column("created_by", sa.String(40), nullable=False),
        sa.Column("created_at", runs.db.Instant(), nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("webhook_id", sa.String(40), sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", runs.db.Instant(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("due_at", runs.db.Instant()),
        sa.Column("delivered_at", runs.db.Instant()),
        sa.Column("last_error", sa.String(300)),
    )
    op.create_index("ix_deliveries_due_at", "deliveries", ["due_at"])
    op.create_index("ix_deliveries_webhook_id", "deliveries", ["webhook_id"])


def downgrade() -> None:
    for table in ("deliveries", "webhooks", "audit"):
        op.drop_table(table)
    _sessions_anew(list)
    _rename_scope("submit", "write")
    with op.batch_alter_table("api_keys") as batch:
        for column in KEY_COLUMNS:
            batch.drop_column(column.name)


def _sessions_anew(more: Callable[[], list[sa.Column[Any]]]) -> None:
    """Logins of before cannot say which key they came of, so people log in again."""
    for table in ("login_tokens", "sessions"):
        op.drop_table(table)
        op.create_table(
            table,
            sa.Column("token_sha256", sa.String(64), primary_key=True),
            *more(),
            sa.Column("principal", sa.String(40), nullable=False),
            sa.Column("scopes", sa.JSON(), nullable=False),
            sa.Column("expires_at", runs.db.Instant(), nullable=False),
        )


def _rename_scope(old: str, new: str) -> None:
    keys = sa.table("api_keys", sa.column("id", sa.String), sa.column("scopes", sa.JSON))
    connection = op.get_bind()
    for key_id, scopes in connection.execute(sa.select(keys.c.id, keys.c.scopes)).all():
        renamed = [new if scope == old else scope for scope in scopes]
        connection.execute(sa.update(keys).where(keys.c.id == key_id).values(scopes=renamed))
