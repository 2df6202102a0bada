"""Schedules change when samples are drawn, and never which: the same groups, in fewer forward passes."""

import hashlib
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from trapo_core.data import Problem
from trapo_core.engine import BatchingEngine, Engine, GenerateEngine, SampleRequest
from trapo_core.engine.protocol import Key, Work
from trapo_core.group import Group, GroupContext
from trapo_core.knobs import Guidance
from trapo_core.model import Policy, init_tiny, load_policy
from trapo_core.rewards import Checker, Score
from trapo_core.schedule import SCHEDULES, resolve, roll_out
from trapo_core.spec_parts import Schedule
from trapo_core.tokenized import tokenize_problem

from .conftest import small_spec

MAX_TOKENS = 24
METHODS = ("trapo", "trapo_official", "luffy", "prefix_rft", "uft")
NAMES: tuple[Schedule, ...] = ("waves", "pipeline", "early", "speculative", "auto")
ENGINES: dict[str, Callable[[Policy, int], Engine]] = {"batching": BatchingEngine, "generate": GenerateEngine}
PROBLEMS = [
    Problem(f"p-{i}", f"^a{i}b+2?", str(i), (f"a{i}b+23#{i}" * (1 + i % 3), f"a{i}b+29#{i}")) for i in range(1, 6)
]


class CoinChecker(Checker):
    """Right or wrong by the text alone, as many as the other; each answer comes after a random while."""

    def __init__(self, delays: int | None = None) -> None:
        super().__init__("small_world")
        self._delays = None if delays is None else random.Random(delays)

    def submit(self, answer: str, text: str) -> "Future[Score]":  # noqa: ARG002 - the text alone decides
        right = hashlib.blake2b(text.encode()).digest()[0] % 2
        score = Score(1.0, "right") if right else Score(0.0, "wrong")
        future: Future[Score] = Future()
        if self._delays is None:
            future.set_result(score)
        else:
            threading.Timer(self._delays.random() / 200, _set_unless_cancelled, [future, score]).start()
        return future


def _set_unless_cancelled(future: "Future[Score]", score: Score) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(score)


class Recorded:
    """An engine, and what it was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.submitted: dict[Key, SampleRequest] = {}
        self.cancelled: set[Key] = set()

    @property
    def work(self) -> Work:
        return self._engine.work

    def submit(self, key: Key, request: SampleRequest) -> None:
        self.submitted[key] = request
        self._engine.submit(key, request)

    def cancel(self, key: Key) -> None:
        self.cancelled.add(key)
        self._engine.cancel(key)

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


@pytest.fixture
def wordy(random_policy: Policy) -> Policy:
    """A random model whose answers end anywhere: an eighth of its tokens are ends."""
    return replace(random_policy, stop_ids=frozenset({random_policy.eos_id, *range(20, 27)}))


def roll(
    policy: Policy,
    guidance: Guidance,
    schedule: Schedule,
    checker: Checker,
    *,
    engine: Engine | None = None,
    problems: Sequence[Problem] = PROBLEMS,
    template: str = "raw",
    max_tokens: int = MAX_TOKENS,
) -> list[Group]:
    context = GroupContext(
        guidance, seed=7, step=3, temperature=1.0, max_tokens=max_tokens, stage_step=2, stage_steps=9
    )
    known = [tokenize_problem(p, policy, template=template, guidance=guidance, max_tokens=max_tokens) for p in problems]
    with checker:
        engine = engine or BatchingEngine(policy)
        return roll_out(context, known, policy=policy, engine=engine, checker=checker, schedule=schedule).groups


def facts(groups: Sequence[Group]) -> list[object]:
    """All of a group but the last digits of its log-probs."""
    return [(group.problem.id, replace(r, completion_logps=[])) for group in groups for r in group.rollouts]


def logps(groups: Sequence[Group]) -> torch.Tensor:
    return torch.tensor([logp for group in groups for r in group.rollouts for logp in r.completion_logps])


# ----------------------------------------------------------------------------------------------------- the same groups


@pytest.mark.parametrize("method", METHODS)
def test_all_schedules_and_engines_give_the_same_groups(wordy: Policy, method: str) -> None:
    guidance = small_spec(method=method).guidance
    expected = roll(wordy, guidance, "waves", CoinChecker(), engine=GenerateEngine(wordy))
    rewards = [r.reward for group in expected for r in group.rollouts]
    assert len(expected) == len(PROBLEMS) and 0 < sum(rewards) < len(rewards)
    for schedule in SCHEDULES:
        for make in ENGINES.values():
            for batch_size in (256, 3):
                groups = roll(wordy, guidance, schedule, CoinChecker(), engine=make(wordy, batch_size))
                assert facts(groups) == facts(expected)
                torch.testing.assert_close(logps(groups), logps(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("schedule", NAMES)
@pytest.mark.parametrize("batch_size", [256, 3])
def test_a_step_is_repeatable_to_the_bit_whenever_checks_answer(
    wordy: Policy, schedule: Schedule, batch_size: int
) -> None:
    """Rewards decide what the engine is asked next, and they come at random times."""
    guidance = small_spec(method="trapo").guidance
    runs = []
    for delays in (1, 2, None):
        engine = Recorded(BatchingEngine(wordy, batch_size))
        groups = roll(wordy, guidance, schedule, CoinChecker(delays), engine=engine)  # type: ignore[arg-type]
        runs.append((facts(groups), logps(groups).tolist(), engine.submitted, engine.cancelled, asdict(engine.work)))
    assert runs[0] == runs[1] == runs[2]


def test_the_groups_of_two_steps_differ(wordy: Policy) -> None:
    guidance = small_spec(method="trapo").guidance
    groups = roll(wordy, guidance, "early", CoinChecker())
    assert len({tuple(r.completion_ids) for group in groups for r in group.rollouts if r.completion_ids}) > 30


def test_a_checker_in_processes_gives_the_same_groups_under_every_schedule(tmp_path: Path) -> None:
    """Mathematics as text, checked by math-verify while the engine goes on."""
    problems = [
        Problem(
            f"m-{i}",
            f"What is {i} + {i}?",
            str(2 * i),
            (f"Adding one to the other gives as the sum \\boxed{{{2 * i}}}",),
        )
        for i in range(1, 4)
    ]
    texts = [text for p in problems for text in (p.prompt, *p.traces)]
    folder = init_tiny(texts, tmp_path / "tiny", vocab_size=300, hidden_size=32, heads=2, context=256)
    policy = load_policy(folder, device=torch.device("cpu"), dtype=torch.float32)
    guidance = small_spec(method="trapo").guidance
    found = []
    for schedule in NAMES[:4]:
        checker = Checker("math", processes=2)
        groups = roll(policy, guidance, schedule, checker, problems=problems, template="simple", max_tokens=64)
        found.append(facts(groups))
    assert found[0] == found[1] == found[2] == found[3]
    # The random model hits an answer now and then; the whole trace is right.
    assert all(group.rollouts[-1].full and group.rollouts[-1].reward == 1 for group in groups)
    assert sum(r.reward == 0 for group in groups for r in group.rollouts) > 12


# -------------------------------------------------------------------------------------------------- what they cost


@pytest.fixture
def rambling(random_policy: Policy) -> Policy:
    """A random model with answers of 13 tokens on average, a few of 60."""
    return replace(random_policy, stop_ids=frozenset({random_policy.eos_id, *range(20, 24)}))


def passes(policy: Policy, method: str, schedule: Schedule, batch_size: int = 256) -> int:
    """Forward passes of decoding for problems that the model never solves."""
    engine = BatchingEngine(policy, batch_size)
    guidance = small_spec(method=method).guidance
    problems = [replace(problem, id=f"{problem.id}-{i}") for i in range(4) for problem in PROBLEMS]
    roll(policy, guidance, schedule, Checker("small_world"), engine=engine, problems=problems, max_tokens=140)
    return engine.work.decode_passes


def test_a_hard_batch_takes_fewer_and_fewer_passes(rambling: Policy) -> None:
    waves, pipeline, early, speculative = (passes(rambling, "trapo", name) for name in SCHEDULES)
    assert waves > 1.5 * pipeline and pipeline > 1.2 * early and early >= speculative
    assert speculative <= 1.05 * passes(rambling, "grpo", "waves")


def test_speculation_takes_as_long_as_one_answer(random_policy: Policy) -> None:
    """Where all are equally long and wrong. Others take one after the other for the three slots that sample; `early`
    two, for after four wrong answers all slots are certain."""
    endless = replace(random_policy, stop_ids=frozenset())
    answers = {schedule: passes(endless, "trapo", schedule) / 139 for schedule in SCHEDULES}
    assert passes(endless, "grpo", "waves") == 139
    assert answers["speculative"] == 1
    assert 1.9 < answers["early"] < 2.1
    assert min(answers["waves"], answers["pipeline"]) > 2.7


def test_a_saturated_batch_loses_little_by_speculation(rambling: Policy) -> None:
    """Speculative samples give way, so that what is wanted for certain is not held up."""
    early, speculative = (passes(rambling, "trapo", name, 8) for name in ("early", "speculative"))
    assert speculative <= 1.1 * early


def test_without_guidance_all_schedules_cost_the_same(rambling: Policy) -> None:
    assert len({passes(rambling, "grpo", name) for name in NAMES}) == 1


@pytest.mark.parametrize("schedule", NAMES)
def test_a_whole_trace_never_touches_the_engine(wordy: Policy, schedule: Schedule) -> None:
    engine = Recorded(BatchingEngine(wordy))
    guidance = small_spec(method="luffy").guidance
    groups = roll(wordy, guidance, schedule, CoinChecker(), engine=engine)  # type: ignore[arg-type]
    assert len(engine.submitted) == 7 * len(groups)
    for group in groups:
        assert group.rollouts[-1].full and group.rollouts[-1].completion_ids == []
        assert group.rollouts[-1].prefix_ids == group.problem.traces[0].ids
    prompts = {tuple(group.problem.prompt_ids) for group in groups}
    assert {request.ids for request in engine.submitted.values()} == prompts


def test_only_a_speculative_schedule_gives_anything_up(wordy: Policy) -> None:
    guidance = small_spec(method="trapo").guidance
    for schedule, allowed in SCHEDULES.items():
        engine = Recorded(BatchingEngine(wordy))
        roll(wordy, guidance, schedule, CoinChecker(), engine=engine)  # type: ignore[arg-type]
        assert bool(engine.cancelled) == allowed.speculate
        assert any(request.speculative for request in engine.submitted.values()) == allowed.speculate


class Busy(CoinChecker):
    """Every answer waits its turn until somebody waits for its score."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Future[Score]] = []

    @property
    def immediate(self) -> bool:
        return False

    def submit(self, answer: str, text: str) -> "Future[Score]":
        self.given.append(Waiting(super().submit(answer, text)))
        return self.given[-1]


class Waiting(Future[Score]):
    def __init__(self, score: "Future[Score]") -> None:
        super().__init__()
        self._score = score

    def result(self, timeout: float | None = None) -> Score:
        if not self.done():
            self.set_result(self._score.result())
        return super().result(timeout)


def test_answers_of_a_branch_that_is_given_up_are_not_checked_any_more(wordy: Policy) -> None:
    guidance, busy = small_spec(method="trapo").guidance, Busy()
    many = [replace(problem, id=f"{problem.id}-{copy}") for problem in PROBLEMS for copy in range(8)]
    groups = roll(wordy, guidance, "speculative", busy, problems=many)
    assert any(score.cancelled() for score in busy.given)
    assert facts(groups) == facts(roll(wordy, guidance, "waves", CoinChecker(), problems=many))


def test_auto_speculates_on_a_cpu_only_where_a_pass_costs_nothing(
    wordy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve("auto", wordy) == SCHEDULES["speculative"]
    monkeypatch.setattr("trapo_core.schedule.TINY_PARAMETERS", wordy.model.num_parameters())
    assert resolve("auto", wordy) == SCHEDULES["early"]
