"""Scores, and the answers that they are made of."""

from typing import Literal

from pydantic import Field

from api.schemas.base import Body, Page


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
