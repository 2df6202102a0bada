"""One group: all samples of one problem in one step, from its slots to rollouts with rewards (TRAPO, Algorithm 1).

`GroupRun` owns its group and knows when the rule's outcome is certain; `schedule.py` decides when to ask it.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from trapo_core.engine.protocol import Completion, Key, SampleRequest
from trapo_core.guidance import certain_ratio, cut_prefix, drawn
from trapo_core.knobs import Guidance, Slot
from trapo_core.rewards import Outcome, Score
from trapo_core.tokenized import TokenizedProblem, Trace


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
    detail: str = ""  # what the check read, or why it has no verdict

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


def sample_seed(*parts: int | str) -> int:
    """A 63-bit seed that is a function of its parts alone: (run seed, step, problem, slot, sample), never of time."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True)
class GroupContext:
    """What all groups of a step share. `stage_step` of `stage_steps` (from 0) is where moving ratios stand."""

    guidance: Guidance
    seed: int
    step: int
    temperature: float
    max_tokens: int
    stage_step: int = 0
    stage_steps: int = 1


@dataclass
class Draft:
    """A sample on its way: `request` is None for a whole trace, where nothing is left to sample."""

    slot: int
    sample: int
    ratio: float
    prefix_ids: list[int]
    request: SampleRequest | None
    completion: Completion | None = None
    score: Score | None = None

    @property
    def own_ids(self) -> list[int]:
        return self.completion.ids if self.completion else []

    @property
    def response_ids(self) -> list[int]:
        return [*self.prefix_ids, *self.own_ids]


@dataclass
class Wishes:
    """What a group wants next: drafts to begin, drafts that are wanted for certain now, drafts to give up."""

    begin: list[Key] = field(default_factory=list)
    confirm: list[Key] = field(default_factory=list)
    cancel: list[Key] = field(default_factory=list)


class GroupRun:
    """The owner of one group. Both branches of a slot, guided and not, may be on their way before the rewards so far
    decide between them; the seed of a sample is the same in both, so the schedule never changes the outcome."""

    def __init__(self, context: GroupContext, problem: TokenizedProblem, index: int) -> None:
        self.problem = problem
        self.drafts: dict[Key, Draft] = {}
        self._draws = problem.draws or problem.id
        self._context = context
        self._index = index
        self._slots = [self._drawn(number, slot) for number, slot in enumerate(context.guidance.slots)]
        self._ratios: list[float | None] = [None] * len(self._slots)

    @property
    def done(self) -> bool:
        return all(key in self.drafts and self.drafts[key].score for key in self._chosen_keys())

    def wishes(self, *, early: bool, speculate: bool) -> Wishes:
        """Decide the slots that can be decided and say what follows.

        early: as soon as no pending reward can change the outcome, else when none is pending. speculate: begin both
        branches of undecided slots.
        """
        wishes = Wishes()
        for number in range(len(self._slots)):
            if self._ratios[number] is None and (ratio := self._decision(number, early=early)) is not None:
                self._ratios[number] = ratio
                self._commit(number, ratio, wishes)
        if speculate:
            for number in (n for n, ratio in enumerate(self._ratios) if ratio is None):
                for ratio in dict.fromkeys((0.0, self._number(self._slots[number]))):
                    wishes.begin += self._begin(number, ratio, speculative=True)
        return wishes

    def group(self) -> "Group":
        """The finished group. Only when `done`."""
        return Group(self.problem, [_rollout(self.drafts[key]) for key in self._chosen_keys() if key is not None])

    # ------------------------------------------------------------------------------------------------------------

    def _drawn(self, number: int, slot: Slot) -> Slot:
        context = self._context
        rng = random.Random(sample_seed(context.seed, context.step, self._draws, "ratio", number))
        return drawn(slot, rng, context.stage_step, context.stage_steps)

    @staticmethod
    def _number(slot: Slot) -> float:
        assert isinstance(slot.ratio, float)
        return slot.ratio

    def _chosen_keys(self) -> Iterator[Key | None]:
        """Keys of all samples in order; None where a slot is undecided."""
        for number, (slot, ratio) in enumerate(zip(self._slots, self._ratios, strict=True)):
            for sample in range(slot.n):
                yield None if ratio is None else self._key(number, sample, ratio)

    def _decision(self, number: int, *, early: bool) -> float | None:
        slot = self._slots[number]
        before = list(self._chosen_keys())[: sum(slot.n for slot in self._slots[:number])]
        scores = [self.drafts[key].score for key in before if key is not None and key in self.drafts]
        rewards = [score.value for score in scores if score]
        pending = len(before) - len(rewards)
        if slot.when == "mean_below" and pending and not early:
            return None
        return certain_ratio(slot, rewards, pending)

    def _commit(self, number: int, ratio: float, wishes: Wishes) -> None:
        wishes.begin += self._begin(number, ratio, speculative=False)
        for key, draft in self.drafts.items():
            if draft.slot == number and key not in wishes.begin:
                (wishes.confirm if draft.ratio == ratio else wishes.cancel).append(key)
        for key in wishes.cancel:
            self.drafts.pop(key, None)

    def _begin(self, number: int, ratio: float, *, speculative: bool) -> list[Key]:
        """Make the drafts of a branch that are not on their way yet."""
        keys = [self._key(number, sample, ratio) for sample in range(self._slots[number].n)]
        new = [key for key in keys if key not in self.drafts]
        for key in new:
            self.drafts[key] = self._draft(number, key[2], ratio, speculative)
        return new

    def _key(self, number: int, sample: int, ratio: float) -> Key:
        return (self._index, number, sample, int(ratio > 0))

    def _draft(self, number: int, sample: int, ratio: float, speculative: bool) -> Draft:
        context, problem = self._context, self.problem
        prefix_ids, whole = self._prefix(number, ratio)
        request = SampleRequest(
            ids=(*problem.prompt_ids, *prefix_ids),
            seed=sample_seed(context.seed, context.step, self._draws, number, sample),
            max_new_tokens=context.max_tokens - len(prefix_ids),
            temperature=context.temperature,
            family=self._index,
            speculative=speculative,
        )
        return Draft(number, sample, ratio, prefix_ids, None if whole else request)

    def _prefix(self, number: int, ratio: float) -> tuple[list[int], bool]:
        """(prefix, whether it is the whole trace)."""
        if ratio == 0.0:
            return [], False
        trace = self._trace(number)
        guidance = self._context.guidance
        prefix_ids = trace.ids[: cut_prefix(len(trace.ids), ratio, trace.breaks, guidance.window)]
        return prefix_ids, len(prefix_ids) == len(trace.ids)

    def _trace(self, number: int) -> Trace:
        traces, wanted = self.problem.traces, self._slots[number].trace
        if wanted == "random":
            context = self._context
            wanted = sample_seed(context.seed, context.step, self._draws, "trace", number) % len(traces)
        return traces[min(wanted, len(traces) - 1)]


def _rollout(draft: Draft) -> Rollout:
    completion, score = draft.completion, draft.score
    assert score is not None
    return Rollout(
        slot=draft.slot,
        sample=draft.sample,
        # A trace too short to be cut at this ratio gives no guidance.
        ratio=draft.ratio if draft.prefix_ids else 0.0,
        copy=draft.sample,
        prefix_ids=draft.prefix_ids,
        completion_ids=completion.ids if completion else [],
        completion_logps=completion.logps if completion else [],
        finish=completion.finish if completion else "expert",
        reward=score.value,
        outcome=score.outcome,
        detail=score.detail,
    )
