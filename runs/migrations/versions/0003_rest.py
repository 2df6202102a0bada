"""Roll-ups of series, aliases of checkpoints, what lists filter and sort by"""

import sqlalchemy as sa
from alembic import op

import runs.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LISTED = [
    "id",
    "state",
    "kind",
    "method",
    "name",
    "created_by",
    "reward",
    "score",
    "ended_at",
    "sweep_id",
    "archived_at",
    "deleted_at",
]
# What rollups.py writes, for the points that are there already; frozen here, as the tables were then.
ROLL_UP = """
INSERT INTO rollups (series_id, width, bucket, last_step, points, low, high, total, nan, high_inf, low_inf)
SELECT p.series_id, {width}, p.step / {width}, max(p.step), count(*), min(p.value), max(p.value), sum(p.value),
       max(CASE WHEN p.flag = 1 THEN 1 ELSE 0 END), max(CASE WHEN p.flag = 2 THEN 1 ELSE 0 END),
       max(CASE WHEN p.flag = 3 THEN 1 ELSE 0 END)
FROM points p JOIN series s ON s.id = p.series_id JOIN runs r ON r.id = s.run_id
JOIN segments g ON g.run_id = r.id AND g.segment = p.segment AND p.step >= g.first_step
     AND (g.last_step IS NULL OR p.step <= g.last_step)
WHERE p.step / {width} < (r.step + 1) / {width}
GROUP BY p.series_id, p.step / {width}
"""


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reward", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("score", sa.Double(), nullable=True))
        batch_op.create_index("ix_runs_listing", LISTED, unique=False)
    runs_table = sa.table("runs", sa.column("summary", sa.JSON()), sa.column("reward"), sa.column("score"))
    summary = runs_table.c.summary
    op.execute(
        runs_table.update().values(reward=summary["reward_unguided"].as_float(), score=summary["score"].as_float())
    )
    op.create_table(
        "aliases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("created_at", runs.db.Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_aliases")),
    )
    op.create_table(
        "rollups",
        sa.Column(
            "series_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("width", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("total", sa.Double(), nullable=True),
        sa.Column("nan", sa.Integer(), nullable=False),
        sa.Column("high_inf", sa.Integer(), nullable=False),
        sa.Column("low_inf", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_rollups_series_id_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "width", "bucket", name=op.f("pk_rollups")),
        sqlite_with_rowid=False,
    )
    for width in (8, 64, 512):
        op.execute(ROLL_UP.format(width=width))


def downgrade() -> None:
    op.drop_table("rollups")
    op.drop_table("aliases")
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_index("ix_runs_listing")
        batch_op.drop_column("score")
        batch_op.drop_column("reward")
