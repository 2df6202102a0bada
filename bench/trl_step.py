"""One training step, ours beside GRPOTrainer of TRL: `python bench/trl_step.py [ROUNDS] [small|large]`.

The same model, problems, group size, sampling and optimizer; a step is rollouts, rewards and one update. Both take
turns in one process on one thread, and its processor time is counted, so that a busy machine disturbs neither. Read
the ratio. small: the small world's base, 100 thousand parameters, 16 problems × 8 samples. large: 30 million at random
weights, 4 × 8 samples.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from trapo_core.answers import check_small_world
from trapo_core.base import small_world_base
from trapo_core.data import Problem, load_problems
from trapo_core.events import EventWriter
from trapo_core.model import new_qwen2, publish, small_world_tokenizer
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.sources import SmallWorldModel
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.train import train

MAX_TOKENS, LR, SAMPLES = 40, 5e-4, 8
STEPS, WARM_UP = 5, 2  # a turn; the first steps of it do not count


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    size = sys.argv[2] if len(sys.argv) > 2 else "small"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model, prompts = _model(size, Path(folder)), 16 if size == "small" else 4
        spec = _spec(model, prompts)
        problems = load_problems(spec.data, Path())
        times: dict[str, list[float]] = {"ours": [], "TRL": []}
        for round_ in range(rounds):
            times["ours"] += _ours(spec, Path(folder) / f"ours-{round_}")
            times["TRL"] += _theirs(model, problems, prompts, Path(folder) / f"trl-{round_}")
            print(f"round {round_}: " + ", ".join(f"{k} {statistics.median(v):.3f} s" for k, v in times.items()))
    for name, values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:6}{middle:8.3f} s a step ({low:.3f}–{high:.3f}, {len(values)} steps)")
    print(f"TRL / ours: {statistics.median(times['TRL']) / statistics.median(times['ours']):.2f}")


def _model(size: str, folder: Path) -> Path:
    if size == "small":
        models = Places.from_environment().models_dir
        return small_world_base(SmallWorldModel(), models, lambda *_: None, lambda: None)
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=512, layers=9, heads=8, context=160, seed=0)
    print(f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} M parameters")
    return publish(folder / "large", model, tokenizer)


def _spec(model: Path, prompts: int) -> TrainSpec:
    values: dict[str, Any] = {
        "method": "grpo",
        "model": {"source": "folder", "path": str(model)},
        "data": {"format": "small_world", "min_ops": 3, "max_ops": 6, "problems": 512},
        "steps": STEPS,
        "prompts_per_step": prompts,
        "sampling": {"max_tokens": MAX_TOKENS},
        "optimizer": {"lr": LR},
        "checkpoints": {"every_steps": 10_000},
        "resources": {"gpus": 0, "cpu_threads": 1},
    }
    spec = parse_spec(values)
    assert isinstance(spec, TrainSpec)
    return spec


def _ours(spec: TrainSpec, run_dir: Path) -> list[float]:
    """Seconds of this process from the end of a step to the end of the next, all that the loop does included."""
    ends: list[float] = []

    class Clock(Attempt):
        def report(self, *events: Any) -> None:
            super().report(*events)
            ends.extend(time.process_time() for event in events if event.type == "step")

    run_dir.mkdir()
    train(spec, run_dir, Places.from_environment(), Clock(EventWriter(run_dir)))
    return list(_gaps(ends))


def _theirs(model: Path, problems: list[Problem], prompts: int, out: Path) -> list[float]:
    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    def reward(completion_ids: list[list[int]], answer: list[str], **_: Any) -> list[float]:
        texts = [trainer.processing_class.decode(ids) for ids in completion_ids]
        return [check_small_world(*pair).value for pair in zip(answer, texts, strict=True)]

    config = GRPOConfig(
        output_dir=str(out), loss_type="dr_grpo", scale_rewards="none", beta=0.0, max_steps=STEPS,
        per_device_train_batch_size=prompts * SAMPLES, num_generations=SAMPLES, max_completion_length=MAX_TOKENS,
        learning_rate=LR, lr_scheduler_type="constant", temperature=1.0, use_cpu=True, bf16=False, report_to=[],
        activation_checkpointing=False, save_strategy="no", logging_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    rows = [{"prompt": problem.prompt, "answer": problem.answer} for problem in problems]
    trainer = GRPOTrainer(
        model=str(model), reward_funcs=reward, args=config, train_dataset=Dataset.from_list(rows), callbacks=[Clock()]
    )
    trainer.train()
    return list(_gaps(ends))


def _gaps(ends: list[float]) -> Iterator[float]:
    for number in range(WARM_UP, len(ends)):
        yield ends[number] - ends[number - 1]


if __name__ == "__main__":
    main()
