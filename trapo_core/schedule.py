"""From problems to groups: when each slot starts, and when rewards are looked at.

Four slots one after the other would cost four times the latency of one. `pipeline` lets every group go on by itself;
`early` starts a slot as soon as no pending reward can change the rule's outcome; `speculative` starts both branches of
every slot at once and gives up the one that the rewards decide against. `waves` moves all groups together and is the
measure of the others. All give the same groups, because a sample's seed does not know the schedule.

A step is repeatable to the bit: rewards are looked at a fixed number of engine steps after their completion, not when
a checking process happens to answer, so what the engine is asked is a function of tokens alone.
"""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from trapo_core.engine.protocol import Engine, Key
from trapo_core.group import Group, GroupContext, GroupRun
from trapo_core.model import Policy
from trapo_core.rewards import Checker, Score
from trapo_core.spec_parts import Schedule
from trapo_core.tokenized import TokenizedProblem

# Engine steps between a completion and the look at its reward, where checking takes time: it runs beside the decoding.
REWARD_LAG_STEPS = 4
# On a CPU a forward pass of fewer parameters takes the time of its calls, not of its samples (bench/RESULTS.md).
TINY_PARAMETERS = 1_000_000


@dataclass(frozen=True)
class Schedules:
    """What a schedule allows."""

    barrier: bool = False
    early: bool = False
    speculate: bool = False


SCHEDULES: dict[Schedule, Schedules] = {
    "waves": Schedules(barrier=True),
    "pipeline": Schedules(),
    "early": Schedules(early=True),
    "speculative": Schedules(early=True, speculate=True),
}


@dataclass
class Rolled:
    """The groups of a step, and the seconds in which nothing went on but the checking of answers."""

    groups: list[Group]
    waited_s: float


def roll_out(
    context: GroupContext,
    problems: Sequence[TokenizedProblem],
    *,
    policy: Policy,
    engine: Engine,
    checker: Checker,
    schedule: Schedule,
) -> Rolled:
    """One finished group for each problem, in their order."""
    return _RollOut(context, problems, policy, engine, checker, resolve(schedule, policy)).run()


def resolve(schedule: Schedule, policy: Policy) -> Schedules:
    """`auto` speculates where a forward pass costs about the same with a few more samples, and else decides early."""
    if schedule == "auto":
        tiny = policy.model.num_parameters() < TINY_PARAMETERS
        schedule = "speculative" if tiny or policy.device.type == "cuda" else "early"
    return SCHEDULES[schedule]


@dataclass(frozen=True)
class _Check:
    """An answer that is being checked; its score is looked at in engine step `due`."""

    due: int
    run: GroupRun
    key: Key
    score: "Future[Score]"
    shared: bool  # somebody else may wait for the same score


class _RollOut:
    def __init__(
        self,
        context: GroupContext,
        problems: Sequence[TokenizedProblem],
        policy: Policy,
        engine: Engine,
        checker: Checker,
        schedule: Schedules,
    ) -> None:
        self._runs = [GroupRun(context, problem, index) for index, problem in enumerate(problems)]
        self._policy, self._engine, self._checker, self._schedule = policy, engine, checker, schedule
        self._lag = 0 if checker.immediate else REWARD_LAG_STEPS
        self._checks: deque[_Check] = deque()
        self._running: set[Key] = set()
        self._step = 0
        self._waited_s = 0.0

    def run(self) -> Rolled:
        stirred = list(self._runs)  # groups for which something changed
        while True:
            if not (self._schedule.barrier and (self._running or self._checks)):
                for run in self._runs if self._schedule.barrier else stirred:
                    self._ask(run)
            if not (self._running or self._checks):
                return Rolled([run.group() for run in self._runs], self._waited_s)
            for key, completion in self._engine.step():
                run = self._runs[key[0]]
                run.drafts[key].completion = completion
                self._running.discard(key)
                self._check(run, key)
            self._step += 1
            stirred = self._look_at_scores()

    def _ask(self, run: GroupRun) -> None:
        wishes = run.wishes(early=self._schedule.early, speculate=self._schedule.speculate)
        for key in wishes.cancel:
            if key in self._running:
                self._engine.cancel(key)
                self._running.discard(key)
        if wishes.cancel:
            self._give_up(set(wishes.cancel))
        for key in wishes.confirm:
            if key in self._running:
                self._engine.confirm(key)
        for key in wishes.begin:
            if (request := run.drafts[key].request) is None:
                self._check(run, key)
            else:
                self._engine.submit(key, request)
                self._running.add(key)

    def _check(self, run: GroupRun, key: Key) -> None:
        draft = run.drafts[key]
        whole = draft.request is None  # an expert's trace
        submit = self._checker.submit_again if whole else self._checker.submit
        score = submit(run.problem.answer, self._policy.decode(draft.response_ids))
        self._checks.append(_Check(self._step + self._lag, run, key, score, shared=whole))

    def _give_up(self, keys: set[Key]) -> None:
        """Answers of a branch that is not taken keep no checking process from those that are."""
        for check in self._checks:
            if check.key in keys and not check.shared:
                check.score.cancel()
        self._checks = deque(check for check in self._checks if check.key not in keys)

    def _look_at_scores(self) -> list[GroupRun]:
        """Take the scores that are due, all of them if nothing else goes on; the groups that got one."""
        stirred: dict[int, GroupRun] = {}
        while self._checks and (self._checks[0].due <= self._step or not self._running):
            check = self._checks.popleft()
            draft = check.run.drafts[check.key]
            began = time.monotonic()
            draft.score = check.score.result()
            self._waited_s += time.monotonic() - began
            stirred[check.key[0]] = check.run
        return list(stirred.values())
