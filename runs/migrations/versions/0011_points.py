"""Points without a foreign key on PostgreSQL: it takes as long to check it as to store them"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = "fk_points_series_id_series"


def upgrade() -> None:
    if _is_postgresql():
        op.drop_constraint(KEY, "points")


def downgrade() -> None:
    if _is_postgresql():
        op.create_foreign_key(KEY, "points", "series", ["series_id"], ["id"], ondelete="CASCADE")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
