"""What one TRAPO step costs beside a GRPO step, by schedule: `python -m bench.step [ROUNDS] [BATCH_SIZE] [DATA]`.

The same weights, the same problems, no weight change; the variants take turns in one process on one thread, and its
processor time is counted. Read the ratios. BATCH_SIZE bounds how many samples run at once: 256 leaves room for all, 32
saturates the engine. DATA: small_world (its base, made on first use in about a minute: alone it answers shorter than
from a prefix) or gsm8k (a random model, whose answers all run to the limit).
"""

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch

from bench.tasks import DATA, MAX_TOKENS, model_folder
from trapo_core.batch import build_sequences
from trapo_core.data import load_problems
from trapo_core.engine import BatchingEngine, Engine, Key, SampleRequest
from trapo_core.engine.stems import shared_beginning
from trapo_core.evaluate import make_checker
from trapo_core.group import Group, GroupContext
from trapo_core.model import Policy, load_policy
from trapo_core.places import Places
from trapo_core.schedule import roll_out
from trapo_core.sources import template_for
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.spec_parts import Schedule
from trapo_core.tokenized import tokenize_problem
from trapo_core.update import Packing, batch_gradients

PROMPTS = 16
VARIANTS: dict[str, tuple[str, Schedule]] = {
    "grpo": ("grpo", "waves"),
    "trapo waves": ("trapo", "waves"),
    "trapo pipeline": ("trapo", "pipeline"),
    "trapo early": ("trapo", "early"),
    "trapo speculative": ("trapo", "speculative"),
}


@dataclass(frozen=True)
class Cost:
    """One step: seconds in rollouts and in the gradient, forward passes and tokens of the engine; `prefill_per_unique`:
    prompt and prefix tokens that were computed, by those that differ (nested ones count once)."""

    rollout_s: float
    gradient_s: float
    decode_passes: int
    prefill_tokens: int
    sampled_tokens: int
    prefill_per_unique: float


class Noting(BatchingEngine):
    """Remembers the token runs that it was asked to go on from."""

    asked: set[tuple[int, ...]]

    def submit(self, key: Key, request: SampleRequest) -> None:
        self.asked.add(request.ids)
        super().submit(key, request)


def unique_tokens(runs: set[tuple[int, ...]]) -> int:
    """Tokens of a tree that holds all runs: in order, each shares with the one before what it shares with any."""
    in_order = sorted(runs)
    return sum(map(len, in_order)) - sum(shared_beginning(*pair) for pair in pairwise(in_order))


def main() -> None:
    rounds, batch_size, data = (*sys.argv[1:], *("20", "256", "small_world")[len(sys.argv) - 1 :])
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = model_folder("small", data, Path(scratch))
        policy = load_policy(folder, device=torch.device("cpu"), dtype=torch.float32)
    engine = Noting(policy, int(batch_size))
    specs = {method: spec_of(method, data, folder) for method, _ in VARIANTS.values()}
    costs: dict[str, list[Cost]] = {variant: [] for variant in VARIANTS}
    for round_ in range(int(rounds) + 1):
        for variant, (method, schedule) in VARIANTS.items():
            cost = one_step(policy, engine, specs[method], schedule, round_)
            if round_:  # the first warms up
                costs[variant].append(cost)
    table(costs)


def spec_of(method: str, data: str, folder: Path) -> TrainSpec:
    spec = parse_spec(
        {
            "method": method,
            "model": {"source": "folder", "path": str(folder)},
            "data": DATA[data],
            "template": "simple",
            "prompts_per_step": PROMPTS,
            "sampling": {"max_tokens": MAX_TOKENS[data]},
        }
    )
    assert isinstance(spec, TrainSpec)
    return spec


def one_step(policy: Policy, engine: Noting, spec: TrainSpec, schedule: Schedule, round_: int) -> Cost:
    """Rollouts of 16 groups and the gradient of their batch; weights stay."""
    engine.asked = set()
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
        work.sampled_tokens, work.prefill_tokens / unique_tokens(engine.asked),
    )  # fmt: skip


def rollouts(policy: Policy, engine: Engine, spec: TrainSpec, schedule: Schedule, round_: int) -> list[Group]:
    max_tokens, count = spec.sampling.max_tokens, spec.prompts_per_step
    known = load_problems(spec.data, Places.from_environment().data_dir)
    problems = [known[(round_ * count + number) % len(known)] for number in range(count)]
    template = template_for(spec.data, spec.template)
    context = GroupContext(guidance=spec.guidance, seed=0, step=round_, temperature=1.0, max_tokens=max_tokens)
    tokenized = [
        tokenize_problem(problem, policy, template=template, guidance=spec.guidance, max_tokens=max_tokens)
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
