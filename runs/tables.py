"""The tables. A row is the truth about its run; Celery's message and the dashboard's picture are only its shadows."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from runs.db import Instant, now
from runs.states import Desired, State, advice_for

EXCERPT_CHARACTERS = 200
# SQLite numbers rows by itself only for the exact type INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")


def of_run() -> ForeignKey:
    return ForeignKey("runs.id", ondelete="CASCADE")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: Instant,
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(),
        list[int]: JSON(),
        list[float]: JSON(),
        list[list[int]]: JSON(),
        list[dict[str, Any]]: JSON(),
        float: Double(),
    }


class RunRow(Base):
    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_state", "state"),
        # All that lists filter and sort by: a row with its spec fills a page of its own.
        Index(
            "ix_runs_listing",
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
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(120))
    method: Mapped[str | None] = mapped_column(String(40))
    tags: Mapped[list[str]]
    notes: Mapped[str] = mapped_column(default="", server_default="")  # what people wrote about it
    spec: Mapped[dict[str, Any]]
    gpus: Mapped[int | None]  # null: one if the host has any
    created_by: Mapped[str] = mapped_column(String(40))
    priority: Mapped[int] = mapped_column(default=0, server_default="0")  # higher is claimed first

    # Where it came from; no foreign keys, because it stays a fact when the other is gone.
    parent_id: Mapped[str | None] = mapped_column(String(40))
    sweep_id: Mapped[str | None] = mapped_column(String(40), index=True)
    overrides: Mapped[dict[str, Any] | None]
    imported_from: Mapped[str | None] = mapped_column(String(16))  # its work was done elsewhere; see `imports.py`
    archived_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]  # marked; a sweeper removes it after the grace

    state: Mapped[str] = mapped_column(String(12), default=State.queued)
    desired: Mapped[str] = mapped_column(String(8), default=Desired.run)
    reason: Mapped[str | None] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now())
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    # The lease: who works on it, until when, and the number that fences off whoever held it before.
    owner: Mapped[str | None] = mapped_column(String(40))
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_expires_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    stalls: Mapped[int] = mapped_column(default=0)  # spent of the retry budget since the last checkpoint

    # How far the events file has been read, and what it said.
    events_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    segment: Mapped[int] = mapped_column(default=0)
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int]
    progress: Mapped[dict[str, Any] | None]
    summary: Mapped[dict[str, Any]]
    # Of the summary, to filter and sort by.
    reward: Mapped[float | None]
    score: Mapped[float | None]

    @property
    def advice(self) -> str | None:
        return advice_for(self.reason)

    @property
    def notes_excerpt(self) -> str:
        return self.notes[:EXCERPT_CHARACTERS]


class AttemptRow(Base):
    __tablename__ = "attempts"

    run_id: Mapped[str] = mapped_column(of_run(), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    fence: Mapped[int] = mapped_column(BigInteger)
    worker_id: Mapped[str] = mapped_column(String(40))
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int | None]
    pid_started_at: Mapped[float | None]  # psutil's; a pid alone may have been given to another process since
    resumed_from_step: Mapped[int | None]
    started_at: Mapped[datetime] = mapped_column(default=now())
    ended_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    signal: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(String(32))
    gpu_ids: Mapped[list[str]] = mapped_column(default=list, server_default="[]")


class GpuSlotRow(Base):
    """A GPU that a run holds. The key is the GPU's, so no two workers can hand it out at once."""

    __tablename__ = "gpu_slots"

    gpu: Mapped[str] = mapped_column(String(300), primary_key=True)
    run_id: Mapped[str] = mapped_column(of_run(), index=True)


class SweepRow(Base):
    """The parent of runs that differ in the fields of `matrix` and in their seed."""

    __tablename__ = "sweeps"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    spec: Mapped[dict[str, Any]]
    matrix: Mapped[dict[str, Any]]
    seeds: Mapped[list[int]]
    created_by: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=now())


class EventRow(Base):
    """One thing that happened. `seq` is the SSE id; `file_offset` is its line's, null for the service's own."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("run_id", "file_offset"),
        Index("ix_events_run_id_seq", "run_id", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(Serial, Identity(), primary_key=True)
    run_id: Mapped[str] = mapped_column(of_run())
    ts: Mapped[datetime] = mapped_column(default=now())
    type: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]
    file_offset: Mapped[int | None] = mapped_column(BigInteger)


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
    __table_args__ = ({"sqlite_with_rowid": False},)

    series_id: Mapped[int] = mapped_column(
        Serial, ForeignKey("series.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
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


class WorkerRow(Base):
    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    gpus: Mapped[int]
    slots: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(default=now())
    heartbeat_at: Mapped[datetime] = mapped_column(default=now())
    heard_at: Mapped[datetime | None]  # when its Celery consumer last took or ended a task
    free_bytes: Mapped[int | None] = mapped_column(BigInteger)  # on the disk of its home


class IdempotencyRow(Base):
    """A caller's key for one POST, the digest of its body, and the run or sweep that came of it."""

    __tablename__ = "idempotency"

    principal: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    run_id: Mapped[str | None] = mapped_column(of_run())
    sweep_id: Mapped[str | None] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now())
