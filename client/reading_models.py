"""Answers about single samples and problems; as `models.py`, and held against `api/schemas/` by the same test."""

from typing import Any, Literal

from client.frames import frame
from client.models import _Answer

Verdict = Literal["all_right", "all_wrong", "mixed"]


class Rollout(_Answer):
    id: str
    step: int
    problem: str
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
    prompt: str
    answer: str
    completion: str


class TokenFacts(_Answer):
    token_ids: list[int]
    guided: list[bool]
    texts: list[str] | None
    p: list[float | None]
    kernel_weights: list[float | None]
    advantages: list[float | None]
    entropies: list[float | None]

    def to_frame(self) -> Any:
        """A pandas table with a row for each token."""
        columns = {name: column for name, column in self.model_dump().items() if column is not None}
        return frame(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


class RolloutDetail(Rollout):
    prefix: str
    detail: str | None = None
    tokens: TokenFacts


class GroupSample(_Answer):
    id: str
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
    matches: bool


class Group(_Answer):
    id: str
    step: int
    problem: str
    prompt: str
    answer: str
    verdict: Verdict
    samples: list[GroupSample]


class KeptSteps(_Answer):
    count: int
    first: int | None
    last: int | None
    before: int | None
    after: int | None


class Groups(_Answer):
    data: list[Group]
    next_cursor: str | None = None
    kept: KeptSteps

    def to_frame(self) -> Any:
        """A pandas table with a row for each sample."""
        of_group = {"step", "problem", "prompt", "answer", "verdict"}
        return frame(one.model_dump(include=of_group) | row.model_dump() for one in self.data for row in one.samples)


class ProblemVisit(_Answer):
    step: int
    samples: list[int]
    ratios: list[float]
    rewards: list[float]


class TrainedProblem(_Answer):
    problem: str
    text: str
    visits: int
    last_step: int
    help: float
    alone: float | None
    history: list[ProblemVisit]


class TrainedProblems(_Answer):
    data: list[TrainedProblem]
    next_cursor: str | None = None
    shares: list[int]

    def to_frame(self) -> Any:
        """A pandas table with a row for each problem, without its history."""
        return frame(one.model_dump(exclude={"history"}) for one in self.data)


class TrustRegion(_Answer):
    alpha: float | None
    from_step: int
    to_step: int
    steps: int
    steps_told: int
    edges: list[float]
    first_places: list[int]
    counts: list[list[int]]
    inside: list[int]

    def to_frame(self) -> Any:
        """A pandas table with a row for each cell: the first place and the least p of it, and its tokens."""
        return frame(
            {"first_place": place, "p": least, "tokens": tokens}
            for place, row in zip(self.first_places, self.counts, strict=False)
            for least, tokens in zip(self.edges, row, strict=False)
        )


class EvaluatedAnswer(_Answer):
    sample: int
    tokens: int
    finish: str
    score: float
    outcome: str
    completion: str


class TimesRight(_Answer):
    step: int
    right: int


class EvaluatedProblem(_Answer):
    place: int
    problem: str
    prompt: str
    answer: str
    verdict: Verdict
    right: int
    samples: int
    earlier: list[TimesRight]
    answers: list[EvaluatedAnswer]


class EvaluatedCounts(_Answer):
    all_right: int
    all_wrong: int
    mixed: int
    better: int
    worse: int


class EvaluatedProblems(_Answer):
    data: list[EvaluatedProblem]
    next_cursor: str | None = None
    total: int
    counts: EvaluatedCounts
    before: int | None

    def to_frame(self) -> Any:
        """A pandas table with a row for each answer."""
        of_problem = {"place", "problem", "verdict", "right", "samples"}
        return frame(
            one.model_dump(include=of_problem) | answer.model_dump() for one in self.data for answer in one.answers
        )
