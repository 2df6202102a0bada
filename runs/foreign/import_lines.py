"""Which lines an import takes: a header, then events as `trapo_core/events.py` has them, in an order that a run could
have written. Pure rules; `imports.py` makes the run.

They are stricter than `ingest.py`, which must go on whatever our own processes write: these lines come from a caller.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from runs.errors import ImportLineError
from trapo_core import events
from trapo_core.errors import FieldProblem, SpecError
from trapo_core.events import SERIES_KEY, SERIES_KEY_LENGTH, Event, parse_event
from trapo_core.sources import Name
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec

MOST_BYTES = 1 << 20  # of a line
MOST_SERIES = 2000
LARGEST = 2**31 - 2
CHECKPOINT = re.compile(r"checkpoints/[A-Za-z0-9_-]{1,60}")
ROLLOUTS = re.compile(r"rollouts/step-[0-9]{6,10}\.parquet")
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# As long as their columns.
LENGTHS = {"benchmark": 64, "metric": 40, "sha256": 64, "reason": 32}


def _storable(spec: dict[str, Any]) -> dict[str, Any]:
    if "\\u0000" in json.dumps(spec, allow_nan=False):
        raise ValueError("no text of it may have a NUL")
    return spec


class Header(BaseModel):
    """The first line: what the rest is. Without a spec of ours the run is shown as an import."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["import"]
    source: Literal["trapo", "tensorboard"]
    name: str = Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]*$")
    tags: list[Name] = Field([], max_length=16)
    spec: Annotated[dict[str, Any], AfterValidator(_storable)] | None = None


@dataclass
class Told:
    """What the lines so far say of the run as a whole."""

    header: Header
    spec: TrainSpec | EvalSpec | None
    starts: list[events.AttemptStarted] = field(default_factory=list)
    ends: dict[int, events.Ended] = field(default_factory=dict)  # by attempt
    times: list[datetime] = field(default_factory=list)  # of the first line and the last
    step: int = -1
    keys: set[str] = field(default_factory=set)

    @property
    def ended(self) -> events.Ended | None:
        """The goodbye of the last attempt."""
        return self.ends.get(len(self.starts))


def read_header(line: bytes) -> Told:
    check_form(1, line)
    try:
        header = Header.model_validate_json(line)
        spec = None if header.spec is None else parse_spec(header.spec)
    except ValidationError as error:
        raise ImportLineError(1, problems_of(1, error)) from error
    except SpecError as error:
        problems = [FieldProblem(f"/1/spec{p.pointer}", p.message, p.hint) for p in error.problems]
        raise ImportLineError(1, problems) from error
    return Told(header, spec)


def take(told: Told, number: int, line: bytes) -> bytes:
    """The line as it is stored. Attempts are counted anew: a folder may hold several that were each the first."""
    check_form(number, line)
    try:
        event = parse_event(line)
    except ValidationError as error:
        raise ImportLineError(number, problems_of(number, error, of_union=True)) from error
    if found := [*_value_problems(event), *_order_problems(told, event)]:
        raise ImportLineError(number, [FieldProblem(f"/{number}{at}", text) for at, text in found])
    told.times = [*told.times[:1], event.ts]
    match event:
        case events.AttemptStarted():
            event = event.model_copy(update={"attempt": len(told.starts) + 1})
            told.starts.append(event)
            told.step = event.resumed_from_step
            return event.model_dump_json().encode() + b"\n"
        case events.StepDone():
            told.step = event.step
        case events.Ended():
            told.ends[len(told.starts)] = event
    return line


def check_form(number: int, line: bytes, most_bytes: int = MOST_BYTES) -> None:
    if not line.endswith(b"\n"):
        text = f"is longer than {most_bytes} bytes." if len(line) > most_bytes else "does not end in a newline."
        raise ImportLineError(number, [FieldProblem(f"/{number}", f"it {text}")])


def problems_of(number: int, error: ValidationError, of_union: bool = False) -> list[FieldProblem]:
    """`of_union`: without the name of the event's class, which pydantic puts in front."""
    found = []
    for one in error.errors(include_url=False, include_input=False, include_context=False)[:20]:
        parts = one["loc"][1:] if of_union else one["loc"]
        pointer = "".join(f"/{str(part)[:80].replace('~', '~0').replace('/', '~1')}" for part in parts)
        found.append(FieldProblem(f"/{number}{pointer}", f"{one['msg']}."))
    return found


def _value_problems(event: Event) -> Iterator[tuple[str, str]]:
    """What a table could not hold, or would be misread."""
    if event.ts.tzinfo is None or not EARLIEST <= event.ts <= LATEST:
        yield "/ts", "a time needs an offset such as Z, and a year from 1970 to 2199."
    if isinstance(event, events.StepDone):
        yield from _step_problems(event)
        return
    if isinstance(event, events.CheckpointSaved) and not CHECKPOINT.fullmatch(event.path):
        yield "/path", "a checkpoint is a folder in checkpoints/."
    if isinstance(event, events.RolloutsWritten) and not ROLLOUTS.fullmatch(event.path):
        yield "/path", "rollouts are a file such as rollouts/step-000001.parquet."
    yield from _unfit("", event.model_dump(exclude={"ts"}))


def _step_problems(event: events.StepDone) -> Iterator[tuple[str, str]]:
    if not 0 <= event.step <= LARGEST:
        yield "/step", f"a step is a number from 0 to {LARGEST}."
    for key in event.metrics:
        if len(key) > SERIES_KEY_LENGTH or not SERIES_KEY.fullmatch(key):
            text = f"{key[:80]!r} cannot be the key of a series: letters, digits and _.@:+%=()-, in parts between /."
            yield "/metrics", text
            return


def _unfit(at: str, value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, part in value.items():
                yield from _unfit(at, key)
                yield from _unfit(f"{at}/{key}", part, key)
        case list():
            for place, part in enumerate(value):
                yield from _unfit(f"{at}/{place}", part, name)
        case int() if not -1 <= value <= (2**62 if name == "bytes" else LARGEST):
            yield at, f"a number from -1 to {LARGEST} is meant."
        case float() if not abs(value) <= 1e300:
            yield at, "a finite number is meant."
        case str() if "\0" in value or len(value) > LENGTHS.get(name, 100_000):
            yield at, f"a text without NUL and of at most {LENGTHS.get(name, 100_000)} characters is meant."


def _order_problems(told: Told, event: Event) -> Iterator[tuple[str, str]]:
    match event:
        case events.Progress() | events.Message() | events.Ended() | events.AttemptStarted():
            return
        case _ if not told.starts:
            yield "/type", f"a line {event.type!r} comes before the first attempt_started."
        case events.StepDone():
            if event.step <= told.step:
                yield "/step", f"step {event.step} comes after step {told.step}; steps of an attempt rise."
            told.keys |= event.metrics.keys()
            if len(told.keys) > MOST_SERIES:
                yield "/metrics", f"a run has at most {MOST_SERIES} series."
