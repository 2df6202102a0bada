"""What a training process tells the world: one JSON line each in `RUN_DIR/events.jsonl`, and nothing else.

A line is complete when it ends in a newline; a reader takes only complete lines and remembers the byte offset.
Numbers that JSON lacks are written as the strings "NaN", "Infinity" and "-Infinity" and read back as floats.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

EVENTS_FILE = "events.jsonl"
# What an import takes as the key of a series: printable, and short enough for the table.
SERIES_KEY = re.compile(r"[A-Za-z0-9_.@:+%=()-]+(?:/[A-Za-z0-9_.@:+%=()-]+)*")
SERIES_KEY_LENGTH = 120


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class _Event(_Part):
    ts: datetime = Field(default_factory=lambda: datetime.now(UTC))


class AttemptStarted(_Event):
    """First line of every attempt. Everything this run wrote for steps above `resumed_from_step` is superseded."""

    type: Literal["attempt_started"] = "attempt_started"
    attempt: int
    resumed_from_step: int
    total_steps: int
    pid: int
    versions: dict[str, str] = {}


class Progress(_Event):
    """How far a long preparation is: making a base model, reading data, evaluating."""

    type: Literal["progress"] = "progress"
    stage: str
    done: int
    total: int


class StepDone(_Event):
    """One optimizer step. `metrics` maps a series key such as `reward/unguided` to its value.

    `step` counts from 1: the number of steps taken. `seconds` is the wall time of the step.
    """

    type: Literal["step"] = "step"
    step: int
    seconds: float
    metrics: dict[str, float]


class SlotOutcome(_Part):
    """What one slot did over all groups of a step. Rewards are sums, so that a reader can add slots and steps."""

    slot: int
    ratio: float
    guided: int
    guided_reward: float
    unguided: int
    unguided_reward: float


class PrefixLengths(_Part):
    """Histogram of expert-prefix lengths in tokens: counts[0] has no prefix, counts[i] lengths in
    ((i-1)·bin_tokens, i·bin_tokens]."""

    bin_tokens: int
    counts: list[int]
    rewards: list[float] | None = None  # sums, by the same bins; null in files of before


class ProblemOutcomes(_Part):
    """What each problem of a step needed: one entry a group, inner lists by slot. All samples of a slot begin with the
    same prefix, so a slot's `ratios` entry is one number: the share of the trace given, 0 for none. Rewards are sums
    over the slot's samples, of which every group has `samples`. `texts` has the problems that this attempt met for the
    first time, cut to their beginning."""

    samples: list[int]
    ids: list[str]
    ratios: list[list[float]]
    rewards: list[list[float]]
    texts: dict[str, str] = {}

    @model_validator(mode="after")
    def _as_long_as_each_other(self) -> Self:
        if not len(self.ids) == len(self.ratios) == len(self.rewards):
            raise ValueError("ids, ratios and rewards differ in length")
        if any(len(by_slot) != len(self.samples) for by_slot in (*self.ratios, *self.rewards)):
            raise ValueError("ratios and rewards need one entry a slot")
        return self


class ExpertTokens(_Part):
    """How likely the expert's tokens were to the trained policy before the step. `counts[i][j]`: tokens at the places
    2^i to 2^(i+1)-1 of their trace (from 1) whose p is in bin j of `trapo_core/expert_bins.py`; `inside[i]`: those of
    them with p >= alpha."""

    alpha: float
    counts: list[list[int]]
    inside: list[int]


class GuidanceDone(_Event):
    """The prefix-length distribution of one step; and, since they are told, what its problems needed and how likely
    its expert tokens were."""

    type: Literal["guidance"] = "guidance"
    step: int
    slots: list[SlotOutcome]
    prefix_lengths: PrefixLengths
    problems: ProblemOutcomes | None = None
    expert_tokens: ExpertTokens | None = None


class StepSkipped(_Event):
    """Loss or gradient was not finite: the weights were left as they were."""

    type: Literal["step_skipped"] = "step_skipped"
    step: int
    in_a_row: int
    message: str


class RolloutsWritten(_Event):
    """All rollouts of a step, as a Parquet file relative to RUN_DIR."""

    type: Literal["rollouts"] = "rollouts"
    step: int
    path: str
    rows: int


class CheckpointSaved(_Event):
    """A complete checkpoint folder, relative to RUN_DIR; `sha256` is that of its weights file."""

    type: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str
    bytes: int
    sha256: str


class BenchmarkScore(_Event):
    """One score with its interval: `metric` is avg@k or pass@k over `problems` problems with `samples` answers each."""

    type: Literal["score"] = "score"
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


class BenchmarkOutcomes(_Event):
    """How often each problem of a benchmark was answered right: what a comparison in pairs needs. Before its scores.

    `setting` is `compare.setting_of`; `problems` the digest of ids, prompts and answers in the order of `right`, which
    counts the right ones of each problem's `samples` answers.
    """

    type: Literal["outcomes"] = "outcomes"
    step: int
    benchmark: str
    setting: dict[str, str | int | float]
    problems: str
    samples: int
    right: list[int]


class Message(_Event):
    """A sentence for the reader of the run."""

    type: Literal["message"] = "message"
    level: Literal["info", "warning", "error"]
    text: str


class Ended(_Event):
    """Last line of an attempt that could say goodbye. `stopped`: asked to, after a checkpoint."""

    type: Literal["ended"] = "ended"
    outcome: Literal["succeeded", "stopped", "failed"]
    step: int
    reason: str | None = None
    message: str = ""


Event = Annotated[
    AttemptStarted
    | Progress
    | StepDone
    | GuidanceDone
    | StepSkipped
    | RolloutsWritten
    | CheckpointSaved
    | BenchmarkScore
    | BenchmarkOutcomes
    | Message
    | Ended,
    Field(discriminator="type"),
]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


class EventWriter:
    """Appends events to a run's file; one `write` call per line, so that a reader never sees half of two lines."""

    def __init__(self, run_dir: Path) -> None:
        path = run_dir / EVENTS_FILE
        _drop_broken_tail(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __call__(self, *events: _Event) -> None:
        """Append these events, in one write: a process killed meanwhile has told all of them or none."""
        lines = memoryview(b"".join(event.model_dump_json().encode() + b"\n" for event in events))
        while lines:
            lines = lines[os.write(self._fd, lines) :]

    def sync(self) -> None:
        """To the disk; before a checkpoint is announced as the point to resume from."""
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def parse_event(line: bytes | str) -> Event:
    return _ADAPTER.validate_json(line)


def read_lines(path: Path, offset: int = 0, limit_bytes: int = 1 << 20) -> Iterator[tuple[int, bytes, int]]:
    """Complete lines from byte `offset`: (start, line without newline, end). At most about `limit_bytes` at once,
    but always at least one line if there is one."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(offset)
        start = offset
        for line in file:
            if not line.endswith(b"\n"):
                return
            end = start + len(line)
            yield start, line[:-1], end
            if end - offset >= limit_bytes:
                return
            start = end


def read_events(run_dir: Path) -> list[Event]:
    """Every event of a run, in order."""
    return [parse_event(line) for _, line, _ in read_lines(run_dir / EVENTS_FILE, limit_bytes=1 << 40)]


def _drop_broken_tail(path: Path) -> None:
    """A process killed in mid-write leaves half a line, which no reader has taken; cut it off before appending."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        keep = size
        while keep > 0:
            begin = max(0, keep - 65_536)
            file.seek(begin)
            newline = file.read(keep - begin).rfind(b"\n")
            if newline >= 0:
                keep = begin + newline + 1
                break
            keep = begin
        if keep < size:
            file.truncate(keep)
