"""How far `trapo plan`'s memory and time are from reality here: `python -m bench.plan [ROUNDS]`. A few minutes.

Real updates and real rollouts of models made here. Each case runs in a process of its own; the peak is that of the
process (VmHWM) less what it held before the model was loaded, libraries warmed up by a step of a tiny model. Times
are compared for the tokens that were drawn: a model without training never ends. Estimated over measured: 1 is right.
"""

import ctypes
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from trapo_core.data import load_problems
from trapo_core.devices import DEVICES
from trapo_core.engine import BatchingEngine
from trapo_core.evaluate import make_checker
from trapo_core.group import Group, GroupContext
from trapo_core.memory import Memory, training_memory
from trapo_core.model import Policy, load_policy, new_qwen2, publish, small_world_tokenizer
from trapo_core.schedule import roll_out
from trapo_core.shapes import ModelShape, config_shape
from trapo_core.spec import TrainSpec, parse_spec
from trapo_core.timing import training_time
from trapo_core.tokenized import tokenize_problem
from trapo_core.update import Learner, Packing
from trapo_core.workload import Tokens, workload

ROOT = str(Path(__file__).parents[1])
# Widths and layers; the last has 30 million parameters.
MODELS = {"tiny": (64, 2), "30M": (512, 9)}
CASES = [(model, dtype, recompute) for model in MODELS for dtype in ("float32", "bfloat16") for recompute in (0, 1)]


def spec_of(dtype: str, recompute: bool) -> TrainSpec:
    spec = parse_spec(
        {
            "model": {"source": "small_world"},
            "data": {"format": "small_world", "min_ops": 4, "max_ops": 8},
            "dtype": dtype,
            "prompts_per_step": 8,
            "sampling": {"max_tokens": 64, "batch_size": 64},
            "tokens_per_microbatch": 2048,
            "gradient_checkpointing": recompute,
            "resources": {"gpus": 0},
        }
    )
    assert isinstance(spec, TrainSpec)
    return spec


def measure(folder: Path, spec: TrainSpec) -> dict[str, float]:
    """Peak bytes of a process that loads the model, samples and updates twice; seconds of the second step's parts."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    policy = load_policy(folder, device=torch.device("cpu"), dtype=getattr(torch, spec.dtype))
    engine = BatchingEngine(policy, spec.sampling.batch_size)
    packing = Packing(1.0, spec.tokens_per_microbatch, spec.gradient_checkpointing)
    stage = spec.stages()[0]
    learner = Learner(policy, stage, packing, spec.sampling.max_tokens, None)
    for step in range(2):
        began, work = time.perf_counter(), engine.work.sampled_tokens
        groups = _rollouts(policy, engine, spec, step)
        rolled = time.perf_counter()
        update = learner.learn(stage.at(step), groups, (), lr=1e-5)
        updated = time.perf_counter()
        engine.weights_changed()
    trained = sum(len(sequence.ids) for sequence in update.sequences)
    return {
        "peak": _status("VmHWM") - before, "rollout_s": rolled - began, "update_s": updated - rolled,
        "sampled": engine.work.sampled_tokens - work, "trained": trained,
    }  # fmt: skip


def _rollouts(policy: Policy, engine: BatchingEngine, spec: TrainSpec, step: int) -> list[Group]:
    limit, count = spec.sampling.max_tokens, spec.prompts_per_step
    problems = load_problems(spec.data, Path())[step * count : (step + 1) * count]
    context = GroupContext(guidance=spec.guidance, seed=0, step=step, temperature=1.0, max_tokens=limit)
    read = [
        tokenize_problem(problem, policy, template="raw", guidance=spec.guidance, max_tokens=limit)
        for problem in problems
    ]
    with make_checker(spec.data, spec.reward) as checker:
        return roll_out(context, read, policy=policy, engine=engine, checker=checker, schedule="auto").groups


def _status(name: str) -> int:
    """In bytes; from this process's status."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def main() -> None:
    if len(sys.argv) > 2:  # one case, in a process of its own
        folder, dtype, recompute = sys.argv[1:]
        torch.set_num_threads(1)
        measure(Path(folder).parent / "tiny", spec_of(dtype, recompute == "1"))
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what the warm-up freed is not there for the taking
        print(json.dumps(measure(Path(folder), spec_of(dtype, recompute == "1"))))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as root:
        write_models(Path(root), MODELS)
        for name, dtype, recompute in CASES:
            compare(Path(root) / name, dtype, recompute, rounds)


def write_models(root: Path, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Models of these widths and layers, in folders of their names."""
    tokenizer = small_world_tokenizer()
    for name, (hidden, layers) in sizes.items():
        model = new_qwen2(tokenizer, hidden_size=hidden, layers=layers, heads=hidden // 32, context=256, seed=0)
        publish(root / name, model, tokenizer)


def shape_in(folder: Path) -> ModelShape:
    shape = config_shape(folder / "config.json")
    assert isinstance(shape, ModelShape)
    return shape


def estimated_memory(folder: Path, spec: TrainSpec) -> Memory:
    return training_memory(spec, shape_in(folder), workload(spec), gpus=0, available=None)


def compare(folder: Path, dtype: str, recompute: int, rounds: int) -> None:
    found = [in_process(folder, dtype, recompute) for _ in range(rounds)]
    spec, shape = spec_of(dtype, bool(recompute)), shape_in(folder)
    work, memory = workload(spec), estimated_memory(folder, spec)
    drawn = {part: int(statistics.median(one[part] for one in found)) for part in ("sampled", "trained")}
    tokens = {part: Tokens(expected=count, at_most=count) for part, count in drawn.items()}
    as_drawn = work.model_copy(update={"stages": (work.stages[0].model_copy(update=tokens),)})
    [stage] = training_time(spec, shape, as_drawn, DEVICES["cpu"], 0).stages
    print(f"{folder.name:5} {shape.parameters / 1e6:6.2f}M {dtype:9} checkpointing {recompute}")
    peaks = [one["peak"] for one in found]
    print(f"   peak, MB: estimated {memory.peak / 1e6:8.0f} {_spread(peaks, 1e6)} "
          f"ratio {memory.peak / statistics.median(peaks):.2f}")  # fmt: skip
    for part, expected in (("rollout", stage.rollout), ("update", stage.update)):
        print(
            f"   {part}, s: estimated {expected.low:g} to {expected.high:g} {_spread([r[f'{part}_s'] for r in found])}"
        )
    for part, bound in (("sampled", work.stages[0].sampled.at_most), ("trained", work.stages[0].trained.at_most)):
        print(f"   {part}: at most {bound} {_spread([r[part] for r in found])}")


def in_process(folder: Path, dtype: str, recompute: int) -> dict[str, float]:
    command = [sys.executable, __file__, str(folder), dtype, str(recompute)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": ROOT})
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _spread(values: list[float], unit: float = 1) -> str:
    low, middle, high = min(values) / unit, statistics.median(values) / unit, max(values) / unit
    return f"measured {middle:.4g} ({low:.4g}–{high:.4g})"


if __name__ == "__main__":
    main()
