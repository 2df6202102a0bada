"""What one TRAPO step costs beside a GRPO step, by schedule: `python bench/step.py [ROUNDS] [BATCH_SIZE]`.

The same base, the same problems, no weight change; the variants take turns in one process on one thread, and its
processor time is counted. Read the ratios. BATCH_SIZE bounds how many samples run at once: 256 leaves room for all, 32
saturates the engine. Makes the small world's base on first use (about a minute).
"""

import statistics
import sys
import time
from dataclasses import dataclass, replace

import torch

from trapo_core.base import small_world_base
from trapo_core.batch import build_sequences
from trapo_core.data import load_problems
from trapo_core.engine import BatchingEngine, Engine
from trapo_core.evaluate import make_checker
from trapo_core.group import Group, GroupContext
from trapo_core.model import Policy, load_policy
from trapo_core.places import Places
from trapo_core.schedule import roll_out
from trapo_core.sources import SmallWorldModel
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.spec_parts import Schedule
from trapo_core.tokenized import tokenize_problem
from trapo_core.update import Packing, batch_gradients

SPEC = {
    "model": {"source": "small_world"},
    "data": {"format": "small_world", "min_ops": 3, "max_ops": 6},
    "prompts_per_step": 16,
    "sampling": {"max_tokens": 40},
}
VARIANTS: dict[str, tuple[str, Schedule]] = {
    "grpo": ("grpo", "waves"),
    "trapo waves": ("trapo", "waves"),
    "trapo pipeline": ("trapo", "pipeline"),
    "trapo early": ("trapo", "early"),
    "trapo speculative": ("trapo", "speculative"),
}


@dataclass(frozen=True)
class Cost:
    """One step: seconds in rollouts and in the gradient, forward passes and tokens of the engine."""

    rollout_s: float
    gradient_s: float
    decode_passes: int
    prefill_tokens: int
    sampled_tokens: int


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    batch_size = int(sys.argv[2]) if len(sys.argv) > 2 else 256
    torch.set_num_threads(1)
    source = SmallWorldModel()
    folder = small_world_base(source, Places.from_environment().models_dir, lambda *_: None, lambda: None)
    policy = load_policy(folder, device=torch.device("cpu"), dtype=torch.float32)
    engine = BatchingEngine(policy, batch_size)
    costs: dict[str, list[Cost]] = {variant: [] for variant in VARIANTS}
    for round_ in range(rounds + 1):
        for variant, (method, schedule) in VARIANTS.items():
            spec = parse_spec({**SPEC, "method": method})
            assert isinstance(spec, TrainSpec)
            cost = one_step(policy, engine, spec, schedule, round_)
            if round_:  # the first warms up
                costs[variant].append(cost)
    table(costs)


def one_step(policy: Policy, engine: Engine, spec: TrainSpec, schedule: Schedule, round_: int) -> Cost:
    """Rollouts of 16 groups and the gradient of their batch; weights stay."""
    before, began = replace(engine.work), time.process_time()
    groups = rollouts(policy, engine, spec, schedule, round_)
    engine.weights_changed()
    rolled_out, work = time.process_time(), engine.work.since(before)
    stage = spec.stages()[0].at(0)
    sequences = build_sequences(groups, stage.policy, stage.expert, max_tokens=spec.sampling.max_tokens)
    batch_gradients(policy, sequences, stage, Packing(1.0, spec.tokens_per_microbatch))
    policy.model.zero_grad(set_to_none=True)
    return Cost(
        rolled_out - began, time.process_time() - rolled_out, work.decode_passes, work.prefill_tokens,
        work.sampled_tokens,
    )  # fmt: skip


def rollouts(policy: Policy, engine: Engine, spec: TrainSpec, schedule: Schedule, round_: int) -> list[Group]:
    max_tokens, count = spec.sampling.max_tokens, spec.prompts_per_step
    problems = load_problems(spec.data, Places.from_environment().data_dir)[round_ * count : (round_ + 1) * count]
    context = GroupContext(guidance=spec.guidance, seed=0, step=round_, temperature=1.0, max_tokens=max_tokens)
    tokenized = [
        tokenize_problem(problem, policy, template="raw", guidance=spec.guidance, max_tokens=max_tokens)
        for problem in problems
    ]
    with make_checker(spec.data, spec.reward) as checker:
        return roll_out(context, tokenized, policy=policy, engine=engine, checker=checker, schedule=schedule).groups


def table(costs: dict[str, list[Cost]]) -> None:
    """Medians with the range of the middle half, and the ratio to the first variant (median of the rounds' ratios)."""
    first = next(iter(costs))
    for name in Cost.__annotations__:
        print(name)
        for variant, rounds in costs.items():
            values = [float(getattr(cost, name)) for cost in rounds]
            low, middle, high = statistics.quantiles(values, n=4)
            base = [float(getattr(cost, name)) for cost in costs[first]]
            ratio = statistics.median(v / b if b else float("nan") for v, b in zip(values, base, strict=True))
            print(f"  {variant:20}{middle:>12.3f} ({low:.3f}–{high:.3f}){ratio:>10.2f}")


if __name__ == "__main__":
    main()
