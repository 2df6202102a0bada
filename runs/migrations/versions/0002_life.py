"""Priorities, GPU slots, sweeps, archive and delete, workers that are heard

The table of runs is never rebuilt: on SQLite that would take along all rows that refer to it.
"""

import sqlalchemy as sa
from alembic import op

import runs.db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RUNS = sa.table("runs", sa.column("id"), sa.column("spec", sa.JSON()), sa.column("gpus", sa.Integer()))


def upgrade() -> None:
    op.create_table(
        "sweeps",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("spec", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("matrix", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("seeds", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("created_at", runs.db.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweeps")),
    )
    op.create_table(
        "gpu_slots",
        sa.Column("gpu", sa.String(length=300), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_gpu_slots_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("gpu", name=op.f("pk_gpu_slots")),
    )
    op.create_index(op.f("ix_gpu_slots_run_id"), "gpu_slots", ["run_id"])
    for column in (
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("sweep_id", sa.String(length=40), nullable=True),
        sa.Column("overrides", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("archived_at", runs.db.Instant(), nullable=True),
        sa.Column("deleted_at", runs.db.Instant(), nullable=True),
    ):
        op.add_column("runs", column)
    op.create_index(op.f("ix_runs_sweep_id"), "runs", ["sweep_id"])
    _replace_gpus(nullable=True)
    for run_id, spec in op.get_bind().execute(sa.select(RUNS.c.id, RUNS.c.spec)).all():
        wish = spec.get("resources", {}).get("gpus")
        op.execute(RUNS.update().where(RUNS.c.id == run_id).values(gpus=wish))
    op.add_column("attempts", sa.Column("gpu_ids", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("workers", sa.Column("heard_at", runs.db.Instant(), nullable=True))
    op.add_column("workers", sa.Column("free_bytes", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("idempotency") as table:
        table.alter_column("run_id", existing_type=sa.String(length=40), nullable=True)
        table.add_column(sa.Column("sweep_id", sa.String(length=40), nullable=True))
        table.create_foreign_key(
            op.f("fk_idempotency_sweep_id_sweeps"), "sweeps", ["sweep_id"], ["id"], ondelete="CASCADE"
        )


def downgrade() -> None:
    op.execute("DELETE FROM idempotency WHERE run_id IS NULL")
    with op.batch_alter_table("idempotency") as table:
        table.drop_constraint(op.f("fk_idempotency_sweep_id_sweeps"), type_="foreignkey")
        table.drop_column("sweep_id")
        table.alter_column("run_id", existing_type=sa.String(length=40), nullable=False)
    op.drop_column("workers", "free_bytes")
    op.drop_column("workers", "heard_at")
    op.drop_column("attempts", "gpu_ids")
    _replace_gpus(nullable=False)
    op.drop_index(op.f("ix_runs_sweep_id"), "runs")
    for name in ("deleted_at", "archived_at", "overrides", "sweep_id", "parent_id", "priority"):
        op.drop_column("runs", name)
    op.drop_table("gpu_slots")
    op.drop_table("sweeps")


def _replace_gpus(*, nullable: bool) -> None:
    """SQLite cannot change a column in place."""
    op.execute("ALTER TABLE runs RENAME COLUMN gpus TO gpus_before")
    op.add_column("runs", sa.Column("gpus", sa.Integer(), nullable=nullable, server_default=None if nullable else "0"))
    op.execute("UPDATE runs SET gpus = COALESCE(gpus_before, 0)")
    op.drop_column("runs", "gpus_before")
