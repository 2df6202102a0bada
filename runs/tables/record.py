"""Tables of what a training process tells: curves, guidance, problems, checkpoints."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Identity, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from runs.db import now
from runs.tables.base import Base, Serial, of_run


class SegmentRow(Base):
    """What one attempt wrote: its steps up to `last_step` count, later ones were superseded by a resume."""

    __tablename__ = "segments"

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    segment: Mapped[int] = mapped_column(primary_key=True)
    first_step: Mapped[int]
    last_step: Mapped[int | None]


class SeriesRow(Base):
    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("run_id", "key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Serial, Identity(), primary_key=True)
    run_id: Mapped[str] = mapped_column(of_run())
    key: Mapped[str] = mapped_column(String(120))


class PointRow(Base):
    """One value of a curve. What is not finite is a null value with a flag: 1 NaN, 2 +infinity, 3 -infinity."""

    __tablename__ = "points"
    __table_args__ = (
        # PostgreSQL would look for each point's series again, which takes as long as to store the point.
        ForeignKeyConstraint(["series_id"], ["series.id"], ondelete="CASCADE").ddl_if(dialect="sqlite"),
        {"sqlite_with_rowid": False},
    )

    series_id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=False)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    segment: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[float | None]
    flag: Mapped[int] = mapped_column(default=0)


class RollupRow(Base):
    """The points of `width` steps as one row; see `rollups.py`. Derived: it may be deleted and written again."""

    __tablename__ = "rollups"
    __table_args__ = ({"sqlite_with_rowid": False},)

    series_id: Mapped[int] = mapped_column(
        Serial, ForeignKey("series.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bucket: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # step // width
    last_step: Mapped[int] = mapped_column(BigInteger)
    points: Mapped[int]
    low: Mapped[float | None]
    high: Mapped[float | None]
    total: Mapped[float | None]
    nan: Mapped[int]  # 1 if one occurred; so too the infinities
    high_inf: Mapped[int]
    low_inf: Mapped[int]


class GuidanceRow(Base):
    __tablename__ = "guidance"

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    segment: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    slots: Mapped[list[dict[str, Any]]]
    prefix_lengths: Mapped[dict[str, Any]]


class GuidanceRollupRow(Base):
    """The guidance of `width` steps added up; see `guidance.py`. Derived, as `RollupRow` is."""

    __tablename__ = "guidance_rollups"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    width: Mapped[int] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(BigInteger, primary_key=True)  # step // width
    last_step: Mapped[int] = mapped_column(BigInteger)
    slots: Mapped[list[dict[str, Any]]]
    prefix_lengths: Mapped[dict[str, Any]]


class ExpertTokensRow(Base):
    """How likely the expert's tokens of one step were; see `ExpertTokens` in `trapo_core/events.py`."""

    __tablename__ = "expert_tokens"

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    segment: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    alpha: Mapped[float]
    inside: Mapped[list[int]]
    counts: Mapped[list[list[int]]]


class VisitRow(Base):
    """What one problem needed in one step; `place` is its group's in the step. Lists are by slot."""

    __tablename__ = "visits"
    __table_args__ = (Index("ix_visits_run_id_step", "run_id", "step"), {"sqlite_with_rowid": False})

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    problem: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    segment: Mapped[int] = mapped_column(primary_key=True)
    samples: Mapped[list[int]]
    ratios: Mapped[list[float]]
    rewards: Mapped[list[float]]


class ProblemRow(Base):
    """A problem that a run was trained on, by the visits that count; see `problems.py`. All but `text` is derived."""

    __tablename__ = "problems"
    __table_args__ = (Index("ix_problems_run_id_help", "run_id", "help"),)

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    problem: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(default="")
    visits: Mapped[int]
    last_step: Mapped[int] = mapped_column(BigInteger)
    help: Mapped[float]
    alone: Mapped[float | None]


class CheckpointRow(Base):
    __tablename__ = "checkpoints"

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    segment: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class AliasRow(Base):
    """A name for a checkpoint's model; see `checkpoints.py`. It outlives the run."""

    __tablename__ = "aliases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(String(40))
    step: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    path: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now(), onupdate=now())
    created_by: Mapped[str] = mapped_column(String(40))
