"""Answers of the service, as far as this client reads them. Fields that a newer service adds are ignored.

The words are those of `api/schemas/`; a test holds the two against each other.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from client.frames import frame
from trapo_core.estimate import Estimate
from trapo_core.events import PrefixLengths, SlotOutcome

State = Literal["queued", "starting", "running", "succeeded", "failed", "cancelled", "paused"]
ScopeName = Literal["read", "submit", "admin"]
ENDED: frozenset[State] = frozenset({"succeeded", "failed", "cancelled", "paused"})


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_inf_nan="strings")


class RunProgress(_Answer):
    stage: str
    done: int
    total: int
    eta_s: float | None = None


class RunSummary(_Answer):
    reward_unguided: float | None = None
    guided_share: float | None = None
    score: float | None = None
    sparkline: list[float | None] = []


class Run(_Answer):
    id: str
    kind: Literal["train", "eval", "import"]
    name: str
    method: str | None
    tags: list[str]
    notes_excerpt: str = ""
    created_by: str = ""
    state: State
    desired: Literal["run", "pause", "cancel"]
    reason: str | None
    advice: str | None
    message: str
    step: int
    total_steps: int
    progress: RunProgress | None
    summary: RunSummary
    attempts: int
    priority: int = 0
    parent_id: str | None = None
    sweep_id: str | None = None
    imported_from: str | None = None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None


class RunDetail(Run):
    notes: str = ""
    spec: dict[str, Any]
    overrides: dict[str, Any] | None = None


class Sweep(_Answer):
    id: str
    name: str
    created_by: str
    created_at: datetime
    states: dict[State, int]
    archived_at: datetime | None = None
    deleted_at: datetime | None = None


class SweepRun(_Answer):
    id: str
    name: str
    state: State
    reason: str | None
    step: int
    total_steps: int
    overrides: dict[str, Any] | None
    deleted_at: datetime | None


class SweepDetail(Sweep):
    spec: dict[str, Any]
    matrix: dict[str, list[Any]]
    seeds: list[int]
    runs: list[SweepRun]


class Plan(_Answer):
    spec: dict[str, Any]
    total_steps: int
    samples_per_step: int
    sampled_tokens_at_most: int
    estimate: Estimate
    warnings: list[str]


class Attempt(_Answer):
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
    gpu_ids: list[str] = []


class RunEvent(_Answer):
    seq: int
    run_id: str
    ts: datetime
    type: str
    data: dict[str, Any]


class Checkpoint(_Answer):
    step: int
    path: str
    bytes: int
    sha256: str
    created_at: datetime
    pinned: bool = False
    aliases: list[str] = []


class CheckpointFile(_Answer):
    name: str
    bytes: int


class Alias(_Answer):
    name: str
    run_id: str
    step: int
    sha256: str
    path: str
    created_at: datetime
    created_by: str


class SeriesInfo(_Answer):
    key: str
    points: int
    last_step: int
    last_value: float


class Curve(_Answer):
    run_id: str
    key: str
    steps: list[int]
    min: list[float]
    max: list[float]
    mean: list[float]

    def columns(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id, "key": self.key, "step": self.steps, "min": self.min, "max": self.max,
            "mean": self.mean,
        }  # fmt: skip


class GuidanceStep(_Answer):
    step: int
    slots: list[SlotOutcome]
    prefix_lengths: PrefixLengths


class Guidance(_Answer):
    steps_per_bucket: int
    data: list[GuidanceStep]

    def to_frame(self) -> Any:
        """A pandas table with a row for each slot of each step."""
        return frame({"step": one.step, **slot.model_dump()} for one in self.data for slot in one.slots)


class Score(_Answer):
    step: int
    benchmark: str
    metric: str
    score: float
    low: float
    high: float
    confidence: float
    interval: Literal["wilson", "cluster_bootstrap"]
    problems: int
    samples: int


class BoardDelta(_Answer):
    delta: float
    low: float
    high: float
    p: float


class BoardCell(_Answer):
    benchmark: str
    metric: str
    score: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    interval: Literal["wilson", "cluster_bootstrap"] | None = None
    problems: int | None = None
    samples: int | None = None
    step: int | None = None
    seeds: int = 1
    spread: float | None = None
    setting: str | None = None
    differs: list[str] = []
    delta: BoardDelta | None = None


class BoardSeed(_Answer):
    id: str
    seed: int
    state: State


class BoardLine(_Answer):
    name: str
    source: Literal["run", "paper"]
    citation: str = ""
    kind: Literal["train", "eval"] | None = None
    method: str | None = None
    sweep_id: str | None = None
    runs: list[BoardSeed]
    cells: list[BoardCell]


class Board(_Answer):
    data: list[BoardLine]
    next_cursor: str | None = None
    baseline: BoardLine | None = None
    settings: dict[str, dict[str, Any]]


class ModelInfo(_Answer):
    name: str
    kind: Literal["folder", "alias"]
    architecture: str | None = None
    parameters: int | None = None
    bytes: int = 0
    sha256: str | None = None
    run_id: str | None = None
    step: int | None = None
    problem: str | None = None


class DatasetInfo(_Answer):
    name: str
    format: str | None = None
    rows: int | None = None
    problems: int | None = None
    traces: bool | None = None
    columns: list[str] = []
    bytes: int = 0
    problem: str | None = None


class WorkerInfo(_Answer):
    id: str
    host: str
    gpus: int
    slots: int
    heartbeat_at: datetime
    alive: bool
    problem: str | None = None
    run_ids: list[str]
    free_bytes: int | None = None


class ReasonInfo(_Answer):
    reason: str
    state: State
    retryable: bool
    cost: int
    crash: bool
    advice: str


class GcItem(_Answer):
    kind: str
    name: str
    bytes: int
    rows: int
    why: str


class GcFailure(_Answer):
    kind: str
    name: str
    why: str


class GcReport(_Answer):
    dry_run: bool
    bytes: int
    rows: int
    items: list[GcItem]
    failed: list[GcFailure] = []


class LoginLink(_Answer):
    url: str
    expires_at: datetime


class Session(_Answer):
    principal: str
    scopes: list[str]
    expires_at: datetime | None = None
    newest_seq: int


class ApiKey(_Answer):
    id: str
    name: str
    scopes: list[ScopeName]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    previous_expires_at: datetime | None


class NewApiKey(ApiKey):
    key: str


@dataclass(frozen=True)
class Points:
    """Every point of one series, exactly; columns of equal length."""

    run_id: str
    key: str
    steps: list[int]
    values: list[float]

    def columns(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "key": self.key, "step": self.steps, "value": self.values}


@dataclass(frozen=True)
class LogText:
    """Something that an attempt printed, from byte `offset` on."""

    attempt: int
    offset: int
    text: str


@dataclass(frozen=True)
class LogPart(LogText):
    """One reading of a log: the next one begins at byte `end`; there are `size` so far."""

    end: int
    size: int
