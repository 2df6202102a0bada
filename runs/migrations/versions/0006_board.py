"""The benchmark board: outcomes by problem, and each run's scores that the board shows"""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCORE = (
    "run_id", "segment", "step", "benchmark", "metric", "score", "low", "high", "confidence", "interval", "problems",
    "samples",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("run_id", sa.String(40), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("segment", sa.Integer(), primary_key=True),
        sa.Column("step", sa.Integer(), primary_key=True),
        sa.Column("benchmark", sa.String(64), primary_key=True),
        sa.Column("setting_digest", sa.String(16), nullable=False),
        sa.Column("problems_digest", sa.String(64), nullable=False),
        sa.Column("right", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "evaluation_settings",
        sa.Column("digest", sa.String(16), primary_key=True),
        sa.Column("setting", sa.JSON(), nullable=False),
    )
    board = op.create_table(
        "board",
        sa.Column("at", sa.String(4), primary_key=True),
        sa.Column("run_id", sa.String(40), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("benchmark", sa.String(64), primary_key=True),
        sa.Column("metric", sa.String(40), primary_key=True),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("interval", sa.String(20), nullable=False),
        sa.Column("problems", sa.Integer(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("setting_digest", sa.String(16)),
        sa.Column("problems_digest", sa.String(64)),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("spec_digest", sa.String(16), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_board_run_id", "board", ["run_id"])
    op.create_index("ix_board_spec_digest", "board", ["spec_digest"])
    if rows := _rows():
        op.bulk_insert(board, rows)


def downgrade() -> None:
    op.drop_table("board")
    op.drop_table("evaluation_settings")
    op.drop_table("outcomes")


def _rows() -> list[dict[str, Any]]:
    """What board.py would have written for the scores that are there already; frozen here, as it was then."""
    connection = op.get_bind()
    by_run: dict[str, dict[Any, dict[str, Any]]] = {}
    columns = ", ".join(f"s.{name}" for name in SCORE)
    visible = (
        f"SELECT {columns} FROM scores s JOIN segments g ON g.run_id = s.run_id AND g.segment = s.segment "
        "AND (g.last_step IS NULL OR s.step <= g.last_step) ORDER BY s.step, s.segment"
    )
    for score in connection.exec_driver_sql(visible):
        row = dict(zip(SCORE, score, strict=True))
        by_run.setdefault(row["run_id"], {})[row["step"], row["benchmark"], row["metric"]] = row
    specs = sa.table("runs", sa.column("id"), sa.column("spec", sa.JSON()))
    rows: list[dict[str, Any]] = []
    for run_id, scores in by_run.items():
        spec = connection.execute(sa.select(specs.c.spec).where(specs.c.id == run_id)).scalar_one()
        plain = {name: value for name, value in spec.items() if name not in ("name", "tags", "seed")}
        alike = plain if "seed" in spec else run_id  # an import without a spec is like no other run
        digest = hashlib.sha256(json.dumps(alike, sort_keys=True).encode()).hexdigest()[:16]
        own = {"seed": spec.get("seed", 0), "spec_digest": digest}
        for at, shown in (("last", list(scores.values())), ("best", _at_best(spec, list(scores.values())))):
            last = {(row["benchmark"], row["metric"]): row for row in shown}
            rows += [{**row, **own, "at": at} for row in last.values()]
    return rows


def _at_best(spec: dict[str, Any], scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    best = spec.get("checkpoints", {}).get("keep_best")
    deciding = [row for row in scores if best and all(row[name] == best[name] for name in ("benchmark", "metric"))]
    if not deciding:
        return scores
    step = max(deciding, key=lambda row: (row["score"], -row["step"]))["step"]
    return [row for row in scores if row["step"] == step]
