"""The coroutine that owns one group: slots -> rollouts -> rewards (TRAPO, Algorithm 1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trapo_core.data import Problem
from trapo_core.engine.protocol import Engine, SampleRequest
from trapo_core.errors import DataError
from trapo_core.guidance import cut_prefix, slot_ratio
from trapo_core.model import Policy
from trapo_core.rewards import Checker, Outcome
from trapo_core.spec import Guidance, Slot

PARAGRAPH = "\n\n"


@dataclass(frozen=True)
class TokenizedProblem:
    """A problem as tokens. `trace_ids` ends with the end token unless it was cut at max_tokens; empty without a
    trace. `breaks` are the positions of trace tokens that hold a blank line, if the cut looks at them."""

    id: str
    answer: str
    prompt_ids: list[int]
    trace_ids: list[int]
    breaks: list[int] | None


@dataclass(frozen=True)
class Rollout:
    """One sample: expert prefix + own completion + reward. `ratio` is 0.0 for an unguided sample.

    `copy` counts the samples of the slot with the same prefix, from 0: a prefix is learned once per slot.
    """

    slot: int
    sample: int
    ratio: float
    copy: int
    prefix_ids: list[int]
    completion_ids: list[int]
    completion_logps: list[float]
    finish: Literal["stop", "length", "expert"]
    reward: float
    outcome: Outcome

    @property
    def guided(self) -> bool:
        return self.ratio > 0.0

    @property
    def full(self) -> bool:
        return self.finish == "expert"


@dataclass(frozen=True)
class Group:
    """All samples of one problem in one step."""

    problem: TokenizedProblem
    rollouts: list[Rollout]


def tokenize_problem(
    problem: Problem, policy: Policy, *, template: str, guidance: Guidance, max_tokens: int
) -> TokenizedProblem:
    """Tokens of the prompt and of the first expert trace with its end token, cut at `max_tokens`."""
    trace_ids = [*policy.encode(problem.traces[0]), policy.eos_id][:max_tokens] if problem.traces else []
    breaks = _paragraph_breaks(trace_ids, policy) if guidance.cut == "paragraph" else None
    return TokenizedProblem(problem.id, problem.answer, policy.prompt_ids(problem.prompt, template), trace_ids, breaks)


def check_prompts(problems: Sequence[Problem], policy: Policy, *, template: str, max_tokens: int) -> None:
    """Raises DataError, naming the problem, if a prompt is nothing to the model, or does not fit its context with the
    response."""
    for problem in problems:
        length = len(policy.prompt_ids(problem.prompt, template))
        if length == 0:
            raise DataError(f"{problem.id}: the prompt has no token in this model's vocabulary.", "Take another model.")
        if length + max_tokens > policy.context:
            raise DataError(
                f"{problem.id}: the prompt has {length} tokens; with max_tokens {max_tokens} it exceeds the model's"
                f" context of {policy.context}.",
                "Lower max_tokens, leave the problem out, or take a model with a longer context.",
            )


def _paragraph_breaks(ids: Sequence[int], policy: Policy) -> list[int]:
    return [index for index, token in enumerate(ids) if PARAGRAPH in policy.decode([token])]


def sample_seed(*parts: int | str) -> int:
    """A 63-bit seed that is a function of its parts alone: (run seed, step, problem, slot, sample), never of time."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True)
class GroupContext:
    """What all groups of a step share."""

    guidance: Guidance
    policy: Policy
    engine: Engine
    checker: Checker
    seed: int
    step: int
    temperature: float
    max_tokens: int


async def run_group(context: GroupContext, problem: TokenizedProblem, index: int) -> Group:
    """Draw the slots of one problem in turn, each guided or not by the rewards of all samples before it.

    `index` is the group's place in its step; it only orders requests.
    """
    rollouts: list[Rollout] = []
    for number, slot in enumerate(context.guidance.slots):
        ratio = slot_ratio(slot, [rollout.reward for rollout in rollouts])
        rollouts += await _run_slot(context, problem, index, number, slot, ratio)
    return Group(problem, rollouts)


async def _run_slot(
    context: GroupContext, problem: TokenizedProblem, index: int, number: int, slot: Slot, ratio: float
) -> list[Rollout]:
    prefix_ids = _prefix(context.guidance, problem, ratio)
    ratio = ratio if prefix_ids else 0.0  # a trace too short to be cut at this ratio gives no guidance
    if prefix_ids and len(prefix_ids) >= len(problem.trace_ids):
        return [await _expert_rollout(context, problem, number, sample, ratio) for sample in range(slot.n)]
    requests = [
        SampleRequest(
            ids=(*problem.prompt_ids, *prefix_ids),
            seed=sample_seed(context.seed, context.step, problem.id, number, sample),
            max_new_tokens=context.max_tokens - len(prefix_ids),
            temperature=context.temperature,
            order=(index, number, sample),
        )
        for sample in range(slot.n)
    ]
    rollouts = []
    for sample, completion in enumerate(await context.engine.sample(requests)):
        text = context.policy.decode([*prefix_ids, *completion.ids])
        score = await context.checker.score(problem.answer, text)
        rollouts.append(
            Rollout(
                slot=number, sample=sample, ratio=ratio, copy=sample, prefix_ids=prefix_ids,
                completion_ids=completion.ids, completion_logps=completion.logps, finish=completion.finish,
                reward=score.value, outcome=score.outcome,
            )
        )  # fmt: skip
    return rollouts


async def _expert_rollout(
    context: GroupContext, problem: TokenizedProblem, number: int, sample: int, ratio: float
) -> Rollout:
    """The whole trace: nothing to sample, so the engine is not asked."""
    score = await context.checker.score(problem.answer, context.policy.decode(problem.trace_ids))
    return Rollout(
        slot=number, sample=sample, ratio=ratio, copy=sample, prefix_ids=problem.trace_ids, completion_ids=[],
        completion_logps=[], finish="expert", reward=score.value, outcome=score.outcome,
    )  # fmt: skip


def _prefix(guidance: Guidance, problem: TokenizedProblem, ratio: float) -> list[int]:
    if ratio == 0.0:
        return []
    return problem.trace_ids[: cut_prefix(len(problem.trace_ids), ratio, problem.breaks, guidance.window)]
