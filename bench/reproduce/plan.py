"""Which runs the reproduction makes: rows of the paper's Tables 1 and 2 that have a meaning in the small world.

Every row sees the same problems, the same number of steps and the same grid of learning rates. The rate is chosen on
a seed and on problems of their own, for each row and base; the reported seeds then run at that rate only.
"""

from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]

# Row -> the paper's name for it.
ROWS = {
    "sft": "SFT",
    "grpo": "GRPO",
    "sft_then_rl": "SFT-then-RL",
    "luffy": "LUFFY",
    "relift": "ReLIFT",
    "micro_group": "+ micro-group",
    "micro_group_nll": "+ micro-group + SFT loss",
    "micro_group_luffy": "+ micro-group + LUFFY loss",
    "trapo": "TRAPO",
}
CONTROL_ROWS = ("grpo", "micro_group_nll", "trapo")
GRID = (1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3)
BASES = (0, 1)
SEEDS = (0, 1, 2)
SELECTION_SEED = 100
LEAP = 0.08
# Of SFT-then-RL's first stage: one of the grid's rates, fixed and not tuned; what is chosen is its second stage's.
WARM_RATE = 1e-3


@dataclass(frozen=True)
class Size:
    """How much is run; the short form is for tests of the machinery, not for figures."""

    steps: int = 100
    supervised_steps: int = 96
    problems: int = 128
    grid: tuple[float, ...] = GRID
    bases: tuple[int, ...] = BASES
    base_steps: int = 520
    seeds: tuple[int, ...] = SEEDS
    rows: tuple[str, ...] = tuple(ROWS)


@dataclass(frozen=True, order=True)
class Run:
    """One training run (or, with row "base", an evaluation alone)."""

    base: int
    leap: float
    row: str
    lr: float
    seed: int

    @property
    def name(self) -> str:
        leap = "" if self.leap else "-no-leap"
        return f"{self.row}-base{self.base}-lr{self.lr:g}-seed{self.seed}{leap}"


def selection_runs(size: Size) -> list[Run]:
    """Every row at every rate, on the seed that is not reported."""
    return [Run(base, LEAP, row, lr, SELECTION_SEED) for base in size.bases for row in size.rows for lr in size.grid]


def reported_runs(size: Size, chosen: dict[tuple[int, str], float]) -> list[Run]:
    """The reported seeds at the chosen rates; and the control without leaps at the same rates."""
    main = [Run(b, LEAP, row, chosen[b, row], seed) for b in size.bases for row in size.rows for seed in size.seeds]
    rows = [row for row in CONTROL_ROWS if row in size.rows]
    control = [Run(b, 0.0, row, chosen[b, row], seed) for b in size.bases for row in rows for seed in size.seeds]
    return main + control


def spec_of(run: Run, size: Size) -> Values:
    """The spec of a run, as recipes have it."""
    chains = {"format": "small_world", "min_ops": 3, "max_ops": 6}
    values: Values = {
        "name": run.name,
        "method": run.row,
        "seed": run.seed,
        "model": {"source": "small_world", "seed": run.base, "steps": size.base_steps},
        "data": {**chains, "problems": 2048, "leap_probability": run.leap},
        "steps": size.steps,
        "prompts_per_step": 16,
        "sampling": {"temperature": 1.0, "max_tokens": 40},
        "optimizer": {"lr": run.lr},
        "checkpoints": {"every_steps": 10_000, "keep_last": 1},
        "evaluation": {"benchmarks": benchmarks(size)},
        "resources": {"gpus": 0, "cpu_threads": 1},
    }
    supervised = {"lr": run.lr, "warmup_share": 0.1, "schedule": "cosine"}
    if run.row == "sft":
        values |= {"steps": size.supervised_steps, "prompts_per_step": 64, "optimizer": supervised}
    if run.row == "sft_then_rl":
        # Three epochs at the fixed rate, then GRPO at the run's own, which alone is chosen.
        warm = {"steps": size.supervised_steps, "prompts_per_step": 64, "optimizer": {**supervised, "lr": WARM_RATE}}
        values["warm_start"] = warm
    if run.row == "relift":
        values["failure_buffer"] = {"size": 16, "optimizer": {"lr": run.lr, "grad_clip": 0.7}}
    return values


def benchmarks(size: Size) -> list[Values]:
    """In-distribution chains sampled and greedy, chains for choosing the rate, and facts never trained (forgetting)."""
    chains = {"format": "small_world", "min_ops": 3, "max_ops": 6}
    sampled = {"samples": 8, "pass_at": [8], "temperature": 1.0, "max_tokens": 48}
    count = size.problems
    return [
        {"name": "chains", "data": {**chains, "seed": 1000, "problems": count}, **sampled},
        {"name": "greedy", "data": {**chains, "seed": 1000, "problems": 2 * count}, "temperature": 0, "max_tokens": 48},
        {"name": "choice", "data": {**chains, "seed": 2000, "problems": count}, "temperature": 1, "max_tokens": 48},
        {"name": "facts", "data": {"format": "small_world", "task": "facts"}, "temperature": 0, "max_tokens": 8},
    ]


def base_spec(base: int, size: Size) -> Values:
    """The base alone on the same benchmarks."""
    return {
        "kind": "eval",
        "name": f"base{base}",
        "model": {"source": "small_world", "seed": base, "steps": size.base_steps},
        "benchmarks": benchmarks(size),
        "resources": {"gpus": 0, "cpu_threads": 1},
    }
