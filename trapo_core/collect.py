"""What one step learns from: groups of the next problems, and the whole traces that a method shows beside them."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from trapo_core.checkpoint import TrainerState
from trapo_core.data import Problem
from trapo_core.engine.protocol import Engine
from trapo_core.errors import RewardError
from trapo_core.group import Group, GroupContext
from trapo_core.knobs import Guidance, PolicyTerm
from trapo_core.model import Policy
from trapo_core.parallel import World
from trapo_core.prepare import problems_of_step
from trapo_core.rewards import Checker
from trapo_core.schedule import Rolled, roll_out
from trapo_core.sources import Template
from trapo_core.spec import TrainSpec
from trapo_core.stage import Stage
from trapo_core.tokenized import TokenizedProblem, tokenize_problem

# Where most answers cannot be checked, rewards are made up, and going on is no training.
MAX_UNCHECKED_SHARE = 0.5
# Demonstrations come in an order of their own, so that they are other problems than those of the groups.
DEMONSTRATION_SEED = 1_000_003


@dataclass
class Collected:
    """`rolled`: every group of the step, for the curves; `learned`: those that make the batch; `shown`: whole traces
    learned beside them; `waited_s`: seconds in which nothing went on but the checking of answers."""

    rolled: list[Group]
    learned: list[Group]
    shown: list[Group]
    waited_s: float = 0.0


def plan_step(stage: Stage, state: TrainerState, seed: int) -> Stage:
    """The knobs of the next step: weights as numbers, and for `alternate` either supervised or reinforcement."""
    plan = stage.at(state.step - stage.first_step)
    if plan.alternate is None:
        return plan
    if random.Random(f"alternate-{seed}-{state.step}").random() < supervised_probability(plan, state):
        return plan.model_copy(update={"guidance": plan.guidance.demonstration(), "policy": PolicyTerm(weight=0.0)})
    return plan.model_copy(update={"expert": ()})


def supervised_probability(stage: Stage, state: TrainerState) -> float:
    """g/(g + gamma·g0) with the gradient norms of the last supervised step and of the warm start's end (SASR)."""
    assert stage.alternate is not None
    total = state.supervised_norm + stage.alternate.gamma * state.warm_norm
    return state.supervised_norm / total if total else 0.0


class Collector:
    """Draws the problems of a step and rolls out their groups, each process its share. Advances the data cursors in
    `state`, on every process alike."""

    def __init__(
        self,
        spec: TrainSpec,
        policy: Policy,
        engine: Engine,
        checker: Checker,
        problems: Sequence[Problem],
        demonstrations: Sequence[Problem],
        template: Template,
        world: World,
    ) -> None:
        self._spec, self._policy, self._problems, self._shown = spec, policy, problems, demonstrations
        self._world = world
        self._by_id = {problem.id: problem for problem in problems}
        self._template = template
        self._roll_out_here = partial(
            roll_out, policy=policy, engine=engine, checker=checker, schedule=spec.sampling.schedule
        )

    def collect(self, plan: Stage, state: TrainerState) -> Collected:
        """The groups of the next step. Raises RewardError where most answers cannot be checked."""
        collected = Collected([], [], [])
        self._roll(plan, state, plan.prompts_per_step, collected)
        collected.learned = list(collected.rolled)
        if plan.refill is not None:
            self._refill(plan, state, collected)
        if plan.fallback is not None:
            failed = [group for group in collected.learned if _falls_back(group, plan)]
            collected.learned = [group for group in collected.learned if not _falls_back(group, plan)]
            self._show(plan, state, [self._by_id[group.problem.id] for group in failed], collected)
        if plan.demonstrations is not None:
            count = plan.demonstrations.prompts_per_step
            seed = self._spec.seed + DEMONSTRATION_SEED
            chosen = problems_of_step(self._shown, seed=seed, first=state.demonstrations_taken, count=count)
            state.demonstrations_taken += count
            self._show(plan, state, chosen, collected)
        if plan.failure_buffer is not None:
            state.failed_ids += [group.problem.id for group in collected.rolled if _right(group) == 0]
        if plan.policy.weight:
            _refuse_made_up_rewards(collected.rolled)
        return collected

    def failures(self, plan: Stage, state: TrainerState) -> list[Group]:
        """The buffered failures as whole traces, if there are enough; the buffer is empty then (ReLIFT)."""
        if plan.failure_buffer is None or len(state.failed_ids) < plan.failure_buffer.size:
            return []
        chosen = [self._by_id[name] for name in state.failed_ids[: plan.failure_buffer.size]]
        state.failed_ids = []
        return self._show(plan, state, chosen, Collected([], [], []))

    # ------------------------------------------------------------------------------------------------------------

    def _roll(self, plan: Stage, state: TrainerState, count: int, into: Collected) -> list[Group]:
        chosen = problems_of_step(self._problems, seed=self._spec.seed, first=state.problems_taken, count=count)
        state.problems_taken += count
        draws = _draws(chosen, Counter(group.problem.id for group in into.rolled))
        rolled = self._roll_out(self._context(plan, state, plan.guidance), chosen, draws)
        into.rolled += rolled.groups
        into.waited_s += rolled.waited_s
        return rolled.groups

    def _roll_out(self, context: GroupContext, problems: Sequence[Problem], draws: Sequence[str]) -> Rolled:
        """The groups of all processes, in the order of `problems`; the longest wait of any."""
        waited_s = 0.0

        def roll_out_share(share: Sequence[tuple[Problem, str]]) -> list[Group]:
            nonlocal waited_s
            tokenized = [replace(self._tokenized(one, context.guidance), draws=name) for one, name in share]
            rolled = self._roll_out_here(context, tokenized)
            waited_s = rolled.waited_s
            return rolled.groups

        groups = self._world.dealt(list(zip(problems, draws, strict=True)), roll_out_share)
        return Rolled(groups, max(self._world.gather(waited_s)))

    def _refill(self, plan: Stage, state: TrainerState, collected: Collected) -> None:
        """Replace groups that teach nothing, within the bound; if all teach nothing, they stay."""
        assert plan.refill is not None
        wanted = plan.prompts_per_step
        left = int(plan.refill.max_extra_share * wanted)
        kept = [group for group in collected.learned if _teaches(group, plan)]
        while len(kept) < wanted and left > 0:
            count = min(wanted - len(kept), left)
            left -= count
            kept += [group for group in self._roll(plan, state, count, collected) if _teaches(group, plan)]
        collected.learned = kept or collected.learned

    def _show(self, plan: Stage, state: TrainerState, problems: Sequence[Problem], into: Collected) -> list[Group]:
        """Whole traces as groups of one; nothing is sampled."""
        guidance = self._spec.guidance.demonstration()
        rolled = self._roll_out(self._context(plan, state, guidance), problems, [problem.id for problem in problems])
        into.shown += rolled.groups
        into.waited_s += rolled.waited_s
        return rolled.groups

    def _context(self, plan: Stage, state: TrainerState, guidance: Guidance) -> GroupContext:
        return GroupContext(
            guidance=guidance,
            seed=self._spec.seed,
            step=state.step + 1,
            temperature=self._spec.sampling.temperature,
            max_tokens=self._spec.sampling.max_tokens,
            stage_step=state.step - plan.first_step,
            stage_steps=plan.steps,
        )

    def _tokenized(self, problem: Problem, guidance: Guidance) -> TokenizedProblem:
        max_tokens = self._spec.sampling.max_tokens
        return tokenize_problem(
            problem, self._policy, template=self._template, guidance=guidance, max_tokens=max_tokens
        )


def _draws(problems: Sequence[Problem], seen: Counter[str]) -> list[str]:
    """Another name for another occurrence of a problem in a step: the same draws would be the same samples. Counts on
    in `seen`."""
    names = []
    for problem in problems:
        times = seen[problem.id]
        names.append(f"{problem.id}#{times}" if times else problem.id)
        seen[problem.id] += 1
    return names


def _right(group: Group) -> int:
    return sum(rollout.reward == 1 for rollout in group.rollouts)


def _teaches(group: Group, plan: Stage) -> bool:
    """Whether any token of the group has a gradient: rewards differ (or need not), an expert token is learned, or the
    problem's trace will be shown instead."""
    differ = plan.policy.baseline == "none" or len({rollout.reward for rollout in group.rollouts}) > 1
    always = any(term.gate == "one" for term in plan.expert)  # other gates are shut where rewards do not differ
    prefixed = always and any(rollout.prefix_ids for rollout in group.rollouts)
    return differ or prefixed or _falls_back(group, plan)


def _falls_back(group: Group, plan: Stage) -> bool:
    return plan.fallback is not None and _right(group) <= plan.fallback.right_at_most


def _refuse_made_up_rewards(groups: Sequence[Group]) -> None:
    """One answer may break its check and counts as wrong; raises RewardError where most do."""
    outcomes = [rollout.outcome for group in groups for rollout in group.rollouts]
    late = outcomes.count("timeout")
    failed = outcomes.count("error") + late
    if failed > MAX_UNCHECKED_SHARE * len(outcomes):
        raise RewardError(
            f"{failed} of {len(outcomes)} answers of a step could not be checked ({late} took too long).",
            "Check the reference answers, or raise reward.timeout_s or reward.processes.",
        )
