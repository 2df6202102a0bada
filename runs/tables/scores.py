"""Tables of evaluations and of the benchmark board."""

from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from runs.tables.base import Base, of_run


class ScoreRow(Base):
    __tablename__ = "scores"

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    segment: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    benchmark: Mapped[str] = mapped_column(String(64), primary_key=True)
    metric: Mapped[str] = mapped_column(String(40), primary_key=True)
    score: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    confidence: Mapped[float]
    interval: Mapped[str] = mapped_column(String(20))
    problems: Mapped[int]
    samples: Mapped[int]


class OutcomeRow(Base):
    """How often each problem of a benchmark was answered right, in one evaluation; see `BenchmarkOutcomes`."""

    __tablename__ = "outcomes"

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    segment: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    benchmark: Mapped[str] = mapped_column(String(64), primary_key=True)
    setting_digest: Mapped[str] = mapped_column(String(16))
    problems_digest: Mapped[str] = mapped_column(String(64))
    right: Mapped[bytes]  # two bytes a problem, little-endian


class SettingRow(Base):
    """How a benchmark was asked and checked, once for all evaluations that did so."""

    __tablename__ = "evaluation_settings"

    digest: Mapped[str] = mapped_column(String(16), primary_key=True)
    setting: Mapped[dict[str, Any]]


class BoardRow(Base):
    """A score that the board shows: a run's at its `last` evaluated step, or at its `best`; see `board.py`. Derived: it
    may be deleted and written again."""

    __tablename__ = "board"
    __table_args__ = ({"sqlite_with_rowid": False},)

    at: Mapped[str] = mapped_column(String(4), primary_key=True)
    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True, index=True)
    benchmark: Mapped[str] = mapped_column(String(64), primary_key=True)
    metric: Mapped[str] = mapped_column(String(40), primary_key=True)
    segment: Mapped[int]
    step: Mapped[int]
    score: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    confidence: Mapped[float]
    interval: Mapped[str] = mapped_column(String(20))
    problems: Mapped[int]
    samples: Mapped[int]
    # Null where the process told no outcomes.
    setting_digest: Mapped[str | None] = mapped_column(String(16))
    problems_digest: Mapped[str | None] = mapped_column(String(64))
    # Of the run: its seed, and what it has in common with those that differ in nothing else.
    seed: Mapped[int] = mapped_column(BigInteger)
    spec_digest: Mapped[str] = mapped_column(String(16), index=True)
