"""Roll-ups over 32 and 128 steps instead of 64: a chart reads at most four rows for each of its points"""

from collections.abc import Iterable

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

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
    _replace(old=[64], new=[32, 128])


def downgrade() -> None:
    _replace(old=[32, 128], new=[64])


def _replace(old: Iterable[int], new: Iterable[int]) -> None:
    for width in old:
        # Sums of guidance that are not there are read from their steps.
        for table in ("rollups", "guidance_rollups"):
            op.execute(f"DELETE FROM {table} WHERE width = {width}")
    for width in new:
        op.execute(ROLL_UP.format(width=width))
