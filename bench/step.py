"""What one TRAPO step costs beside a GRPO step: `python bench/step.py [ROUNDS]`.

The same base, the same problems, no weight change; the methods take turns in one process, so that a noisy machine
hits both alike. Read the ratios. Makes the small world's base on first use (about a minute).
"""

import asyncio
import statistics
import sys
import time
from dataclasses import dataclass

import torch

from trapo_core.base import small_world_base
from trapo_core.batch import build_sequences
from trapo_core.data import load_problems
from trapo_core.engine import GenerateEngine, Waves
from trapo_core.evaluate import make_checker
from trapo_core.group import Group, GroupContext, run_group, tokenize_problem
from trapo_core.model import Policy, load_policy
from trapo_core.places import Places
from trapo_core.sources import SmallWorldModel
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.train import batch_gradients

METHODS = ("grpo", "trapo")
SPEC = {
    "model": {"source": "small_world"},
    "data": {"format": "small_world", "min_ops": 3, "max_ops": 6},
    "prompts_per_step": 16,
    "sampling": {"max_tokens": 40},
}


@dataclass(frozen=True)
class Cost:
    """One step: seconds in rollouts and in the gradient, forward passes and tokens of the engine."""

    rollout_s: float
    gradient_s: float
    forward_passes: int
    sampled_tokens: int


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    torch.set_num_threads(1)
    source = SmallWorldModel()
    folder = small_world_base(source, Places.from_environment().models_dir, lambda *_: None, lambda: None)
    policy = load_policy(folder, device=torch.device("cpu"), dtype=torch.float32)
    specs = {method: parse_spec({**SPEC, "method": method}) for method in METHODS}
    costs: dict[str, list[Cost]] = {method: [] for method in METHODS}
    for round_ in range(rounds + 1):
        for method, spec in specs.items():
            assert isinstance(spec, TrainSpec)
            cost = one_step(policy, spec, round_)
            if round_:  # the first warms up
                costs[method].append(cost)
    table(costs)


def one_step(policy: Policy, spec: TrainSpec, round_: int) -> Cost:
    """Rollouts of 16 groups and the gradient of their batch; weights stay."""
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    hook = policy.model.register_forward_pre_hook(count)
    began = time.perf_counter()
    groups = asyncio.run(rollouts(policy, spec, round_))
    rolled_out = time.perf_counter()
    hook.remove()
    [stage] = spec.stages()
    sequences = build_sequences(groups, stage.policy, stage.expert, max_tokens=spec.sampling.max_tokens)
    batch_gradients(policy, sequences, stage, temperature=1.0, tokens_per_microbatch=spec.tokens_per_microbatch)
    policy.model.zero_grad(set_to_none=True)
    tokens = sum(len(rollout.completion_ids) for group in groups for rollout in group.rollouts)
    return Cost(rolled_out - began, time.perf_counter() - rolled_out, passes, tokens)


async def rollouts(policy: Policy, spec: TrainSpec, round_: int) -> list[Group]:
    max_tokens, count = spec.sampling.max_tokens, spec.prompts_per_step
    problems = load_problems(spec.data, Places.from_environment().data_dir)[round_ * count : (round_ + 1) * count]
    engine = Waves(GenerateEngine(policy))
    with make_checker(spec.data, spec.reward) as checker:
        context = GroupContext(
            guidance=spec.guidance, policy=policy, engine=engine, checker=checker, seed=0, step=round_,
            temperature=1.0, max_tokens=max_tokens,
        )  # fmt: skip
        tokenized = [
            tokenize_problem(problem, policy, template="raw", guidance=spec.guidance, max_tokens=max_tokens)
            for problem in problems
        ]
        return await engine.run([run_group(context, problem, index) for index, problem in enumerate(tokenized)])


def table(costs: dict[str, list[Cost]]) -> None:
    """Medians with the range of the middle half, and the ratio to the first method."""
    print(f"{'':16}" + "".join(f"{method:>28}" for method in costs) + f"{'ratio':>10}")
    for name in Cost.__annotations__:
        columns = [[float(getattr(cost, name)) for cost in costs[method]] for method in costs]
        quartiles = [statistics.quantiles(column, n=4) for column in columns]
        cells = "".join(f"{q[1]:>14.3f} ({q[0]:.3f}–{q[2]:.3f})".rjust(28) for q in quartiles)
        print(f"{name:16}{cells}{quartiles[-1][1] / quartiles[0][1]:>10.2f}")


if __name__ == "__main__":
    main()
