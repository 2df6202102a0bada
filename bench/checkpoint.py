"""How long training stands still for a checkpoint: python -m bench.checkpoint [ROUNDS] [FOLDER]

A Qwen2 of 30 million parameters at random weights, one optimizer step of 64 samples of 64 tokens on one CPU thread;
after each a checkpoint, written while the next step is taken. Prints median (middle half).
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import torch

from trapo_core import checkpoint
from trapo_core.checkpoint import TrainerState
from trapo_core.events import EventWriter
from trapo_core.group import Group, Rollout
from trapo_core.model import make_policy, new_qwen2, small_world_tokenizer
from trapo_core.parallel import ALONE
from trapo_core.process import Attempt
from trapo_core.saver import Saver
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.tokenized import TokenizedProblem
from trapo_core.update import Learner, Packing

SAMPLES, TOKENS, PROMPT = 8, 48, 16
PROBLEMS = 8


def main(rounds: int, folder: Path) -> None:
    torch.set_num_threads(1)
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=512, layers=9, heads=8, context=160, seed=0).eval()
    policy = make_policy(model, tokenizer, device=torch.device("cpu"), dtype=torch.float32)
    spec = parse_spec(
        {
            "method": "grpo", "model": {"source": "small_world"}, "data": {"format": "small_world"},
            "sampling": {"max_tokens": TOKENS}, "checkpoints": {"keep_last": 1},
        }
    )  # fmt: skip
    assert isinstance(spec, TrainSpec)
    (stage,) = spec.stages()
    learner = Learner(policy, stage, Packing(1.0, spec.tokens_per_microbatch), TOKENS, None)
    groups = [random_group(number, len(tokenizer)) for number in range(PROBLEMS)]
    state, attempt = TrainerState(), Attempt(EventWriter(folder))
    times: dict[str, list[float]] = {
        "step alone": [],
        "step beside": [],
        "stall": [],
        "rest of writing": [],
        "in one go": [],
    }
    with Saver(folder, spec, state, attempt, ALONE) as saver:
        for state.step in range(1, rounds + 2):
            alone = seconds(lambda: learner.learn(stage, groups, [], lr=1e-6))
            stall = seconds(lambda: saver.save(policy, learner.optimizers))
            beside = seconds(lambda: learner.learn(stage, groups, [], lr=1e-6))
            rest = seconds(saver.settle)
            whole = seconds(lambda: checkpoint.save(folder / "other", spec, policy, learner.optimizers, state))
            if state.step > 1:  # the first makes moments and fresh memory
                for name, value in zip(times, (alone, beside, stall, rest, whole), strict=True):
                    times[name].append(value)
            checkpoint.prune(folder / "other", 1)
    count = sum(parameter.numel() for parameter in policy.parameters())
    print(f"{count / 1e6:.1f} million parameters, {rounds} rounds; seconds: median (middle half)")
    for name, values in times.items():
        print(f"{name:16} {spread(values)}")
    shares = [stall / step for stall, step in zip(times["stall"], times["step alone"], strict=True)]
    print(f"stall / step     {spread(shares)}")


def random_group(number: int, vocabulary: int) -> Group:
    rng = random.Random(number)
    problem = TokenizedProblem(f"p{number}", "0", rng.choices(range(2, vocabulary), k=PROMPT), [])
    return Group(problem, [random_rollout(rng, sample, vocabulary) for sample in range(SAMPLES)])


def random_rollout(rng: random.Random, sample: int, vocabulary: int) -> Rollout:
    return Rollout(
        slot=0, sample=sample, ratio=0.0, copy=sample, prefix_ids=[], finish="length", outcome="checked",
        completion_ids=rng.choices(range(2, vocabulary), k=TOKENS), completion_logps=[-3.0] * TOKENS,
        reward=float(sample % 2),
    )  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spread(values: list[float]) -> str:
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return f"{middle:.4f} ({low:.4f}–{high:.4f})"


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as made:
        main(rounds, Path(made))
