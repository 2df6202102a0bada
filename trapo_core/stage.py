"""A stretch of steps under one set of knobs: what the loop sees of a spec. Importable without torch."""

from collections.abc import Iterator

from trapo_core.knobs import (
    Alternate,
    Demonstrations,
    ExpertTerm,
    FailureBuffer,
    Fallback,
    Guidance,
    Optimizer,
    PolicyTerm,
    Refill,
    value_at,
)
from trapo_core.sources import Part


class Stage(Part):
    """A stretch of steps under one set of knobs; what the loop sees."""

    name: str
    first_step: int
    steps: int
    prompts_per_step: int
    optimizer: Optimizer
    guidance: Guidance
    expert: tuple[ExpertTerm, ...]
    policy: PolicyTerm
    demonstrations: Demonstrations | None = None
    fallback: Fallback | None = None
    failure_buffer: FailureBuffer | None = None
    alternate: Alternate | None = None
    refill: Refill | None = None
    updates_per_batch: int = 1

    @property
    def needs_traces(self) -> bool:
        supervised = self.fallback or self.failure_buffer or self.alternate
        own_stream = self.demonstrations and not self.demonstrations.data
        return self.guidance.needs_traces or bool(supervised or own_stream)

    def at(self, step: int) -> "Stage":
        """The stage with the weights that hold in its `step` (from 0) as numbers."""
        policy = self.policy.model_copy(update={"weight": value_at(self.policy.weight, step, self.steps)})
        expert = tuple(
            term.model_copy(update={"weight": value_at(term.weight, step, self.steps)}) for term in self.expert
        )
        return self.model_copy(update={"policy": policy, "expert": expert})

    @property
    def learns_from_experts(self) -> bool:
        """Whether any token of an expert trace comes before the loss."""
        return self.needs_traces or self.demonstrations is not None


def doubts(stage: Stage) -> Iterator[str]:
    if stage.expert and not stage.learns_from_experts:
        yield "no slot is guided, so its expert terms never see a token."
    if stage.policy.weight == 0 and not stage.expert:
        yield "neither own nor expert tokens are learned; the weights stay as they are."
    if stage.policy.clip and stage.updates_per_batch == 1:
        yield "policy.clip never binds; with one update a batch the ratio is 1."
