"""Tables of runs, of what works on them, and of what happened to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from runs.db import now
from runs.states import Desired, State, advice_for
from runs.tables.base import Base, Serial, of_run

EXCERPT_CHARACTERS = 200


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
