"""Runs that were made elsewhere"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs") as batch:
        batch.add_column(sa.Column("imported_from", sa.String(16)))


def downgrade() -> None:
    # Kept, with all they say: an older service knows no such kind, and takes them for runs of its own.
    op.execute("UPDATE runs SET kind = 'eval' WHERE kind = 'import'")
    with op.batch_alter_table("runs") as batch:
        batch.drop_column("imported_from")
