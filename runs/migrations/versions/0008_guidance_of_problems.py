"""What each problem needed, visit by visit, and how likely the expert's tokens were"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _of_run() -> sa.Column[str]:
    return sa.Column("run_id", sa.String(40), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "expert_tokens",
        _of_run(),
        sa.Column("segment", sa.Integer(), primary_key=True),
        sa.Column("step", sa.BigInteger(), primary_key=True),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("inside", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
    )
    op.create_table(
        "visits",
        _of_run(),
        sa.Column("problem", sa.String(), primary_key=True),
        sa.Column("step", sa.BigInteger(), primary_key=True),
        sa.Column("place", sa.Integer(), primary_key=True),
        sa.Column("segment", sa.Integer(), primary_key=True),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.Column("ratios", sa.JSON(), nullable=False),
        sa.Column("rewards", sa.JSON(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_visits_run_id_step", "visits", ["run_id", "step"])
    op.create_table(
        "problems",
        _of_run(),
        sa.Column("problem", sa.String(), primary_key=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("help", sa.Double(), nullable=False),
        sa.Column("alone", sa.Double()),
    )
    op.create_index("ix_problems_run_id_help", "problems", ["run_id", "help"])


def downgrade() -> None:
    for table in ("problems", "visits", "expert_tokens"):
        op.drop_table(table)
