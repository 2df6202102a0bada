"""One training step, ours beside GRPOTrainer of TRL: `python -m bench.trl_step [ROUNDS] [small|large] [DATA]`.

The same model, problems, group size, sampling and optimizer; a step is rollouts, rewards and one update. Both take
turns in one process on one thread, and its processor time is counted, so that a busy machine disturbs neither. Read
the ratio. Models: small has 100 thousand parameters, large 30 million. DATA: small_world (prompts of about 20 tokens)
or gsm8k (real problems, about 150 tokens of a tiny byte-level vocabulary; needs the data folder).
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

from bench.tasks import DATA, MAX_TOKENS, model_folder
from trapo_core.answers import check_math, check_small_world
from trapo_core.data import Problem, load_problems
from trapo_core.events import EventWriter
from trapo_core.model import TEMPLATES
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.sources import FolderModel
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.train import train

LR, SAMPLES = 5e-4, 8
STEPS, WARM_UP = 5, 2  # a turn; the first steps of it do not count
PROMPTS = {"small": 16, "large": 4}


def main() -> None:
    rounds, size, data = (*sys.argv[1:], *("5", "small", "small_world")[len(sys.argv) - 1 :])
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        spec = _spec(size, data, Path(folder))
        problems = load_problems(spec.data, Places.from_environment().data_dir)
        times: dict[str, list[float]] = {"ours": [], "TRL": []}
        for round_ in range(int(rounds)):
            times["ours"] += _ours(spec, Path(folder) / f"ours-{round_}")
            times["TRL"] += _theirs(spec, problems, Path(folder) / f"trl-{round_}")
            print(f"round {round_}: " + ", ".join(f"{k} {statistics.median(v):.3f} s" for k, v in times.items()))
    for name, values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:6}{middle:8.3f} s a step ({low:.3f}–{high:.3f}, {len(values)} steps)")
    print(f"TRL / ours: {statistics.median(times['TRL']) / statistics.median(times['ours']):.2f}")


def _spec(size: str, data: str, folder: Path) -> TrainSpec:
    spec = parse_spec(
        {
            "method": "grpo",
            "model": {"source": "folder", "path": str(model_folder(size, data, folder))},
            "data": DATA[data],
            "template": "simple",
            "steps": STEPS,
            "prompts_per_step": PROMPTS[size],
            "sampling": {"max_tokens": MAX_TOKENS[data]},
            "optimizer": {"lr": LR},
            "checkpoints": {"every_steps": 10_000},
            "resources": {"gpus": 0, "cpu_threads": 1},
        }
    )
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


def _theirs(spec: TrainSpec, problems: list[Problem], out: Path) -> list[float]:
    ends: list[float] = []
    small_world = spec.data.format == "small_world"
    check = check_small_world if small_world else check_math

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    def reward(completion_ids: list[list[int]], answer: list[str], **_: Any) -> list[float]:
        texts = [trainer.processing_class.decode(ids) for ids in completion_ids]
        return [check(*pair).value for pair in zip(answer, texts, strict=True)]

    config = GRPOConfig(
        output_dir=str(out), loss_type="dr_grpo", scale_rewards="none", beta=0.0, max_steps=STEPS,
        per_device_train_batch_size=spec.prompts_per_step * SAMPLES, num_generations=SAMPLES,
        max_completion_length=spec.sampling.max_tokens, learning_rate=LR, lr_scheduler_type="constant",
        temperature=1.0, use_cpu=True, bf16=False, report_to=[], activation_checkpointing=False, save_strategy="no",
        logging_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    template = TEMPLATES["raw" if small_world else spec.template]
    rows = [{"prompt": template.replace("{problem}", p.prompt), "answer": p.answer} for p in problems]
    assert isinstance(spec.model, FolderModel)
    trainer = GRPOTrainer(
        model=spec.model.path, reward_funcs=reward, args=config, train_dataset=Dataset.from_list(rows),
        callbacks=[Clock()],
    )  # fmt: skip
    trainer.train()
    return list(_gaps(ends))


def _gaps(ends: list[float]) -> Iterator[float]:
    for number in range(WARM_UP, len(ends)):
        yield ends[number] - ends[number - 1]


if __name__ == "__main__":
    main()
