"""The schedule of a group: which samples are guided, from which prefix, and what the engine is asked."""

from collections.abc import Sequence
from itertools import product

import pytest

from trapo_core.data import Problem
from trapo_core.engine import Completion, Key, SampleRequest, Work
from trapo_core.errors import DataError
from trapo_core.group import Group, GroupContext, sample_seed
from trapo_core.knobs import Guidance
from trapo_core.methods import TRAPO_SLOTS
from trapo_core.model import Policy
from trapo_core.rewards import Checker
from trapo_core.schedule import roll_out
from trapo_core.tokenized import TokenizedProblem, check_prompts, tokenize_problem  # fmt: skip

TRACE = "a1b+23#3"  # nine tokens with the end token
GUIDANCE = Guidance.model_validate({"slots": TRAPO_SLOTS})


class ScriptedEngine:
    """Answers right or wrong as told, in the order in which it is asked, all that it was asked at once."""

    def __init__(self, policy: Policy, outcomes: Sequence[bool]) -> None:
        self.work = Work()
        self.asked: list[SampleRequest] = []
        self._right, self._wrong = policy.encode("#3$"), policy.encode("#4$")
        self._outcomes = iter(outcomes)
        self._waiting: list[Key] = []

    def submit(self, key: Key, request: SampleRequest) -> None:
        self.asked.append(request)
        self._waiting.append(key)

    def confirm(self, key: Key) -> None:
        raise AssertionError(f"{key}: nothing is speculative here")

    cancel = confirm

    def step(self) -> list[tuple[Key, Completion]]:
        keys, self._waiting = self._waiting, []
        answers = [self._right if next(self._outcomes) else self._wrong for _ in keys]
        return [(key, Completion(ids, [-0.5] * len(ids), "stop")) for key, ids in zip(keys, answers, strict=True)]

    def weights_changed(self) -> None:
        """Nothing is kept."""

    close = weights_changed


def tokenized(policy: Policy, guidance: Guidance = GUIDANCE, max_tokens: int = 20) -> TokenizedProblem:
    problem = Problem("p-1", "^a1b+2?", "3", (TRACE,))
    return tokenize_problem(problem, policy, template="raw", guidance=guidance, max_tokens=max_tokens)


def run(
    policy: Policy, outcomes: Sequence[bool], guidance: Guidance = GUIDANCE, max_tokens: int = 20
) -> tuple[Group, ScriptedEngine]:
    engine = ScriptedEngine(policy, outcomes)
    context = GroupContext(guidance=guidance, seed=7, step=3, temperature=1.0, max_tokens=max_tokens)
    problem = tokenized(policy, guidance, max_tokens)
    with Checker("small_world") as checker:
        rolled = roll_out(context, [problem], policy=policy, engine=engine, checker=checker, schedule="pipeline")
    return rolled.groups[0], engine


def decided(policy: Policy, first: int, second: int, third: int) -> str:
    """Which of the last three slots were guided when so many samples of the first three slots were right."""
    outcomes = [i < first for i in range(4)] + [i < second for i in range(2)] + [third == 1, False]
    group, _ = run(policy, outcomes)
    slots = {rollout.slot: rollout.guided for rollout in group.rollouts}
    return "".join("P" if slots[number] else "-" for number in (1, 2, 3))


# The strict column of the micro-group decisions that ALGORITHMS.md lists (V4).
STATES = {
    (2, 0, 0): "-PP", (2, 2, 1): "-PP", (3, 0, 0): "-PP", (3, 1, 1): "-PP", (3, 2, 0): "--P", (3, 2, 1): "--P",
    (4, 0, 0): "-PP", (4, 1, 1): "--P", (4, 2, 0): "--P", (4, 2, 1): "---",
} | dict.fromkeys(product((0, 1), (0, 1, 2), (0, 1)), "PPP")  # fmt: skip


@pytest.mark.parametrize(("state", "guided"), STATES.items())
def test_slots_are_guided_by_the_mean_of_all_samples_before(
    random_policy: Policy, state: tuple[int, int, int], guided: str
) -> None:
    assert decided(random_policy, *state) == guided


def test_a_hard_problem_gets_longer_and_longer_prefixes(random_policy: Policy) -> None:
    group, engine = run(random_policy, [False] * 7)
    trace = [*random_policy.encode(TRACE), random_policy.eos_id]
    assert [(r.slot, r.ratio, len(r.prefix_ids)) for r in group.rollouts] == [
        (0, 0.0, 0), (0, 0.0, 0), (0, 0.0, 0), (0, 0.0, 0), (1, 0.2, 1), (1, 0.2, 1), (2, 0.5, 4), (3, 1.0, 9),
    ]  # fmt: skip
    for rollout in group.rollouts:
        assert rollout.prefix_ids == trace[: len(rollout.prefix_ids)]
    # The whole trace has nothing left to sample: the engine never sees it.
    assert len(engine.asked) == 7
    assert group.rollouts[-1].full and group.rollouts[-1].reward == 1.0 and group.rollouts[-1].completion_ids == []


def test_requests_hold_prompt_and_prefix_and_leave_the_rest_of_the_budget(random_policy: Policy) -> None:
    _, engine = run(random_policy, [False] * 7)
    prompt = random_policy.encode("^a1b+2?")
    half = engine.asked[6]
    assert list(half.ids) == prompt + random_policy.encode(TRACE)[:4]
    assert [request.max_new_tokens for request in engine.asked] == [20] * 4 + [19] * 2 + [16]


def test_every_sample_has_a_seed_of_its_own_that_no_order_changes(random_policy: Policy) -> None:
    _, engine = run(random_policy, [False] * 7)
    assert [request.seed for request in engine.asked] == [
        sample_seed(7, 3, "p-1", slot, sample) for slot, n in enumerate((4, 2, 1)) for sample in range(n)
    ]
    assert len({request.seed for request in engine.asked}) == 7


def test_a_trace_too_short_for_the_ratio_leaves_the_sample_unguided(random_policy: Policy) -> None:
    guidance = Guidance.model_validate({"slots": [{"n": 1, "when": "always", "ratio": 0.05}]})
    group, _ = run(random_policy, [True], guidance)
    assert [(rollout.guided, rollout.prefix_ids) for rollout in group.rollouts] == [(False, [])]


def test_a_trace_is_cut_at_max_tokens_and_its_full_prefix_still_needs_no_engine(random_policy: Policy) -> None:
    group, engine = run(random_policy, [False] * 7, max_tokens=6)
    assert len(group.rollouts[-1].prefix_ids) == 6
    assert len(engine.asked) == 7
    assert group.rollouts[-1].reward == 0.0  # the answer was cut off


def test_a_prompt_that_the_vocabulary_cannot_spell_is_refused(random_policy: Policy) -> None:
    with pytest.raises(DataError, match="foreign: the prompt has no token"):
        check_prompts([Problem("foreign", "日本", "1")], random_policy, template="raw", max_tokens=20)


def test_a_prompt_longer_than_the_context_is_named(random_policy: Policy) -> None:
    problems = [Problem("fits", "^a1?", "1"), Problem("too-long", "^" + "a" * 150 + "?", "1")]
    with pytest.raises(DataError, match=r"too-long: the prompt has 152 tokens.*context of 160.*Lower max_tokens"):
        check_prompts(problems, random_policy, template="raw", max_tokens=20)
