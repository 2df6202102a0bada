"""Samples of training, alone and in their groups."""

from typing import Literal

from pydantic import Field

from api.schemas.base import Body, Page


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
