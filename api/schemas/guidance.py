"""How much expert prefix was shown, to which problems, and what the trust region let through."""

from pydantic import Field

from api.schemas.base import Body, Page
from trapo_core.events import PrefixLengths, SlotOutcome


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
