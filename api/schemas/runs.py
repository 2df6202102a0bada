"""Runs, their attempts and events, and what may be changed of them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.base import Body, Json, Page, State
from trapo_core.estimate import Estimate
from trapo_core.sources import Name

PRIORITY = Field(0, ge=-100, le=100, description="Higher is claimed first; then the oldest.")


class RunProgress(Body):
    """What the run is doing now: `stage` is preparing, base model, training or evaluating."""

    stage: str
    done: int
    total: int
    eta_s: float | None = Field(None, description="Seconds left in training, from the last steps' pace.")


class RunSummary(Body):
    """The few numbers a list shows; null until measured."""

    reward_unguided: float | None = Field(None, description="Mean of the last 10 steps.")
    guided_share: float | None = Field(
        None, description="Share of samples that started from an expert prefix, last 10 steps."
    )
    score: float | None = Field(None, description="The first benchmark's latest avg@k.")
    sparkline: list[float | None] = Field([], description="Unguided reward over the run, at most 40 points.")


class Run(Body):
    """A run as lists show it."""

    id: str
    kind: Literal["train", "eval", "import"] = Field(description="import: made elsewhere, and without a spec of ours.")
    name: str
    method: str | None = Field(description="Null for evaluations and imports.")
    tags: list[str]
    notes_excerpt: str = Field(description="The first 200 characters of its notes.")
    created_by: str
    state: State
    desired: Literal["run", "pause", "cancel"] = Field(description="What was asked for; a wish, not a state.")
    reason: str | None = Field(description="Why it ended, from a closed list.")
    advice: str | None = Field(description="One line on what to do about the reason.")
    message: str
    step: int
    total_steps: int
    progress: RunProgress | None
    summary: RunSummary
    attempts: int
    priority: int
    parent_id: str | None = Field(description="The run that it was cloned from.")
    sweep_id: str | None
    imported_from: str | None = Field(description="trapo or tensorboard: its work was done elsewhere.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    archived_at: datetime | None
    deleted_at: datetime | None = Field(description="Marked as deleted then; it can be had back for a while.")


class RunDetail(Run):
    """A run with its resolved spec, and what was changed for it in that of its parent or sweep."""

    notes: str
    spec: dict[str, Any]
    overrides: dict[str, Any] | None


class RunPage(Page[Run]):
    """`total` counts all that the question finds; only on the first page."""

    total: int | None = None


class Clone(Body):
    """What is to be different in the new run."""

    overrides: Json = Field({}, max_length=100, description='By path: {"optimizer.lr": 1e-4}.')
    from_checkpoint: int | None = Field(
        None, ge=0, lt=2**63, description="A step: the new run begins with the weights of that checkpoint."
    )
    priority: int = PRIORITY


class RunPatch(Body):
    """What may be changed of a run that is there; what is left out stays."""

    name: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]*$")] | None = None
    tags: list[Name] | None = Field(None, max_length=16)
    notes: str | None = Field(
        None, max_length=4000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$", description="Plain text."
    )
    priority: int | None = Field(None, ge=-100, le=100, description="Of a run that is queued or paused, else 409.")


class Plan(Body):
    """What a spec would do and take; the answer to a dry run. Nothing is stored. `sampled_tokens_at_most` is of the
    whole run, all its evaluations included."""

    spec: dict[str, Any]
    total_steps: int
    samples_per_step: int
    sampled_tokens_at_most: int
    estimate: Estimate
    warnings: list[str]


class Attempt(Body):
    """One process start of a run."""

    number: int
    fence: int
    host: str
    pid: int | None
    resumed_from_step: int | None
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    signal: int | None
    reason: str | None
    gpu_ids: list[str]


class RunEvent(Body):
    """One thing that happened to a run. `seq` is also the SSE id."""

    seq: int
    run_id: str
    ts: datetime
    type: str
    data: dict[str, Any]
