"""Bodies of what an operator asks, and of the table of reasons."""

from typing import Literal

from pydantic import Field

from api.schemas.base import Body, State
from api.schemas.catalogue import WorkerInfo


class GcItem(Body):
    """One thing that goes. Of many rows alike there is one item."""

    kind: str = Field(description="Such as deleted_run, orphan_folder, leftover, promoted_model, audit_entries.")
    name: str
    bytes: int = Field(description="What the disk has back; a file with several links is freed with the last of them.")
    rows: int = Field(description="Rows of the database.")
    why: str


class GcFailure(Body):
    """One thing that should have gone. Nothing of it is counted as freed."""

    kind: str
    name: str
    why: str = Field(description="What the operating system said.")


class GcReport(Body):
    """What was freed, or what would be."""

    dry_run: bool
    bytes: int
    rows: int
    items: list[GcItem]
    failed: list[GcFailure] = Field(description="What could not be removed; the rest was.")


class ReasonInfo(Body):
    """Why an attempt ended, and what becomes of the run then."""

    reason: str
    state: State = Field(description="Of the run afterwards, while its retry budget lasts.")
    retryable: bool
    cost: int = Field(description="What such an attempt takes from the retry budget.")
    crash: bool = Field(description="Takes twice as much without a new checkpoint.")
    advice: str


class HeldRun(Body):
    """A run that a worker is at. Its lease is over when the worker is silent for so long."""

    run_id: str
    name: str
    state: State
    desired: Literal["run", "pause", "cancel"]
    step: int
    total_steps: int
    worker_id: str | None
    host: str
    attempt: int
    gpu_ids: list[str]
    expires_in_s: float | None


class WaitingRun(Body):
    """A run in the queue."""

    run_id: str
    name: str
    priority: int
    gpus: int | None = Field(description="Null: one if the host has any.")
    created_by: str
    waits_s: float = Field(description="Since it was queued last.")
    not_before_s: float | None = Field(description="It rests so long before it is tried again.")
    reason: str | None


class SystemState(Body):
    """`gpus` has the run that holds each GPU that is held, by UUID or HOST/INDEX. `queue` is in the order of claiming,
    the first 200 of `queued`. The disk is that of the api's home."""

    workers: list[WorkerInfo]
    held: list[HeldRun]
    gpus: dict[str, str]
    queue: list[WaitingRun]
    queued: int
    free_bytes: int
    min_free_bytes: int
    lease_s: float
