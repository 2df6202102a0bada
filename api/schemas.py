"""Bodies of requests and answers. Field names are the words of the spec, the tables and the dashboard.

Lists are `{data, next_cursor}`. Times are RFC 3339 UTC. A number that is not finite travels as the string "NaN",
"Infinity" or "-Infinity".
"""

import json
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from trapo_core.estimate import Estimate
from trapo_core.events import PrefixLengths, SlotOutcome
from trapo_core.sources import Name

State = Literal["queued", "starting", "running", "succeeded", "failed", "cancelled", "paused"]
Item = TypeVar("Item")
MOST_BUCKETS = 1_000_000  # of one question for curves
PRIORITY = Field(0, ge=-100, le=100, description="Higher is claimed first; then the oldest.")


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    json.dumps(value, allow_nan=False)  # a database keeps no others in JSON
    return value


Json = Annotated[dict[str, Any], AfterValidator(_finite)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", from_attributes=True)


class Page(Body, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last."""

    data: list[Item]
    next_cursor: str | None = None


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


class SweepPlan(Body):
    """A run for every combination of values and every seed; at most 256."""

    name: str = Field("", max_length=80, pattern=r"^[^\x00-\x1f]*$")
    spec: Json
    matrix: Annotated[dict[str, Annotated[list[Any], Field(min_length=1, max_length=256)]], AfterValidator(_finite)] = (
        Field({}, max_length=8, description='Values by path: {"optimizer.lr": [1e-4, 3e-4]}.')
    )
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field([], max_length=256)
    priority: int = PRIORITY


class Sweep(Body):
    """The parent of runs; `states` counts them by state."""

    id: str
    name: str
    created_by: str
    created_at: datetime
    states: dict[State, int]
    archived_at: datetime | None = Field(description="When the last of its runs was; null unless all are.")
    deleted_at: datetime | None = Field(description="When the last of its runs was; null unless all are.")


class SweepRun(Body):
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


class Checkpoint(Body):
    step: int
    path: str
    bytes: int
    sha256: str = Field(description="Of the weights.")
    created_at: datetime
    pinned: bool = Field(description="Never deleted while it is.")
    aliases: list[str]


class CheckpointFile(Body):
    name: str
    bytes: int


class Promotion(Body):
    alias: Name


class Alias(Body):
    """A name for a checkpoint's model. `path` is its folder under the models root."""

    name: str
    run_id: str
    step: int
    sha256: str
    path: str
    created_at: datetime
    created_by: str


class SeriesInfo(Body):
    """One named curve of a run."""

    key: str
    points: int
    last_step: int
    last_value: float


class SeriesQuery(Body):
    """Which curves to read, and how finely: at most `points` buckets for each. `smooth` is the number of steps that the
    trailing mean of each step looks back on; 1 is no smoothing."""

    run_ids: list[str] = Field(min_length=1, max_length=50)
    keys: list[str] = Field(min_length=1, max_length=50)
    from_step: int = Field(0, ge=0, lt=2**63)
    to_step: int | None = Field(None, ge=0, lt=2**63)
    points: int = Field(1000, ge=2, le=10_000)
    smooth: int = Field(1, ge=1, le=10_000)

    @model_validator(mode="after")
    def _not_too_much_at_once(self) -> Self:
        if len(self.run_ids) * len(self.keys) * self.points > MOST_BUCKETS:
            raise ValueError(f"runs × keys × points is above {MOST_BUCKETS:,}; ask for fewer points or in parts")
        return self


class Curve(Body):
    """A curve as columns. Up to `points` steps: the exact values, and min = max = mean = value. Above: buckets of
    equal width with the step of the bucket's last point, so that a one-step spike always shows; of a long curve a value
    may stand one bucket beside its own."""

    run_id: str
    key: str
    steps: list[int]
    min: list[float]
    max: list[float]
    mean: list[float]


class Curves(Body):
    data: list[Curve]


class GuidanceStep(Body):
    """The prefix-length distribution of one step."""

    step: int
    slots: list[SlotOutcome]
    prefix_lengths: PrefixLengths


class Guidance(Body):
    """Guidance over steps. Long runs are thinned: neighbouring steps are added up, `steps_per_bucket` at a time, and
    `step` is the last of each."""

    steps_per_bucket: int
    data: list[GuidanceStep]


class ProblemVisit(Body):
    """What a problem needed in one step. Lists are by slot: samples, share of the trace they began with, sum of
    rewards."""

    step: int
    samples: list[int]
    ratios: list[float]
    rewards: list[float]


class TrainedProblem(Body):
    """A problem of the training set as this run met it."""

    problem: str
    text: str = Field(description="How it begins; empty if the run does not say.")
    visits: int
    last_step: int
    help: float = Field(
        description="Share of the expert trace that a sample is expected to need, of late: the failure rate by prefix"
        " share, integrated from 0 to 1; each visit weighs as much as all before it together."
    )
    alone: float | None = Field(description="Success rate without a prefix, of late; null if it was never tried.")
    history: list[ProblemVisit] = Field(description="The latest visits, oldest first.")


class TrainedProblems(Page[TrainedProblem]):
    shares: list[int] = Field(description="How many problems of the run need help in each tenth of [0, 1].")


class TrustRegion(Body):
    """Expert tokens by their probability p under the trained policy before the step, and by their place in the trace,
    added up over `steps` of the `steps_told` steps in the window, evenly spread. Row i of `counts` and `inside` has the
    places from `first_places[i]` (counted from 1) to the next row's; column j of `counts` has p from `edges[j]` to
    `edges[j + 1]`, the first all below too."""

    alpha: float | None = Field(description="Null if the run has told of no expert token.")
    from_step: int
    to_step: int
    steps: int
    steps_told: int
    edges: list[float]
    first_places: list[int]
    counts: list[list[int]]
    inside: list[int] = Field(description="Tokens with p >= alpha.")


class Score(Body):
    """One benchmark score with its interval."""

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


class EvaluatedAnswer(Body):
    """One sample of a problem. In a list `completion` is its end."""

    sample: int
    tokens: int
    finish: str
    score: float
    outcome: str
    completion: str


class TimesRight(Body):
    step: int
    right: int


class EvaluatedProblem(Body):
    """A problem of a benchmark and what was answered. `earlier` are evaluations before this one on the same problems,
    oldest first, at most 30. In a list `prompt` is its beginning."""

    place: int = Field(description="In the benchmark, from 0.")
    problem: str
    prompt: str
    answer: str = Field(description="What is expected.")
    verdict: Literal["all_right", "all_wrong", "mixed"]
    right: int
    samples: int
    earlier: list[TimesRight]
    answers: list[EvaluatedAnswer]


class EvaluatedCounts(Body):
    """Of the whole evaluation: problems by verdict, and those right more or less often than the time before."""

    all_right: int
    all_wrong: int
    mixed: int
    better: int
    worse: int


class EvaluatedProblems(Page[EvaluatedProblem]):
    """`total` is how many the filter leaves; `before` the step of the evaluation that changes are since."""

    total: int
    counts: EvaluatedCounts
    before: int | None


class Rollout(Body):
    """One sample as lists show it: `prompt` is its beginning, `completion` its end."""

    id: str = Field(description="<step>-<row>")
    step: int
    problem: str
    slot: int
    sample: int
    guided: bool = Field(description="Whether it began with an expert prefix.")
    ratio: float
    reward: float
    outcome: str
    advantage: float | None = Field(description="Null if it was not learned from.")
    finish: str
    prefix_tokens: int
    completion_tokens: int
    prompt: str
    answer: str
    completion: str


class TokenFacts(Body):
    """Columns of equal length: one entry a response token, the expert's prefix first. Null is not known, or has no
    meaning: kernel weights are of expert tokens, advantages of the model's own."""

    token_ids: list[int]
    guided: list[bool]
    texts: list[str] | None = Field(description="What each says; together prefix and completion.")
    p: list[float | None] = Field(description="Under the trained policy before the step; the sampler's if not learned.")
    kernel_weights: list[float | None] = Field(description="k(p) of the stage's first expert loss.")
    advantages: list[float | None]
    entropies: list[float | None]


class RolloutDetail(Rollout):
    """A sample with its whole texts and per-token facts."""

    prefix: str
    detail: str | None = Field(None, description="What the check read, or why it has no verdict; empty if right.")
    tokens: TokenFacts


class GroupSample(Body):
    """A sample as its group shows it."""

    id: str = Field(description="The rollout's.")
    slot: int
    sample: int
    guided: bool
    ratio: float
    reward: float
    outcome: str
    advantage: float | None
    finish: str
    prefix_tokens: int
    completion_tokens: int
    matches: bool = Field(description="Whether the filter asks for it; the others come with their group.")


class Group(Body):
    """All samples of one problem in one step, in the order of their slots."""

    id: str = Field(description="<step>-<its first row>")
    step: int
    problem: str
    prompt: str = Field(description="Its beginning.")
    answer: str
    verdict: Literal["all_right", "all_wrong", "mixed"]
    samples: list[GroupSample]


class KeptSteps(Body):
    """Steps with rollouts; `before` and `after` are the neighbours of the step asked for, else of the last."""

    count: int
    first: int | None
    last: int | None
    before: int | None
    after: int | None


class Groups(Page[Group]):
    kept: KeptSteps


class MethodInfo(Body):
    name: str
    summary: str
    paper: str = Field(description="arXiv id, or empty.")
    values: dict[str, Any]


class SpecSchema(Body):
    """What a spec may hold, as JSON Schema: names, bounds, defaults and descriptions. A method's values come over the
    defaults; rules between fields are not in it, a dry run knows them."""

    train: dict[str, Any]
    eval: dict[str, Any]


class RecipeInfo(Body):
    name: str
    specs: list[dict[str, Any]]


class ModelInfo(Body):
    """A model that a spec may name: `{"source": "folder", "path": NAME}`."""

    name: str
    kind: Literal["folder", "alias"]
    architecture: str | None = None
    parameters: int | None = Field(None, description="Null where config.json does not tell.")
    bytes: int = 0
    sha256: str | None = Field(
        None, description="Of the weights, of a checkpoint's alias; never computed for this answer."
    )
    run_id: str | None = None
    step: int | None = None
    problem: str | None = Field(None, description="Why no run can use it; null if one can.")


class DatasetInfo(Body):
    """A file of problems that a spec may name: `{"format": FORMAT, "path": NAME}`."""

    name: str
    format: str | None = None
    rows: int | None = None
    problems: int | None = Field(None, description="Unique ones; null for files above 64 MiB.")
    traces: bool | None = Field(None, description="Whether every problem has an expert trace.")
    columns: list[str] = []
    bytes: int = 0
    problem: str | None = Field(None, description="Why no run can use it; null if one can.")


class WorkerInfo(Body):
    id: str
    host: str
    gpus: int
    slots: int
    heartbeat_at: datetime
    alive: bool
    problem: str | None = Field(description="Why it takes no runs, and what to do; null for a healthy one.")
    run_ids: list[str]
    free_bytes: int | None = Field(description="On the disk of its home.")


class LoginLink(Body):
    """A link that opens the dashboard once, for ten minutes."""

    url: str
    expires_at: datetime


class LoginRequest(Body):
    """Exactly one of the two."""

    token: str | None = None
    api_key: str | None = None


class Session(Body):
    """Who is asking."""

    principal: str
    scopes: list[str]
    expires_at: datetime | None = None


class FieldError(Body):
    pointer: str
    message: str
    hint: str = ""


class Problem(Body):
    """application/problem+json (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []


# What a request that would make a run may also be answered with.
NO_ROOM: dict[int | str, dict[str, Any]] = {507: {"model": Problem, "description": "The disk is nearly full."}}
