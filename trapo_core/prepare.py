"""Everything that is checked and loaded before the first step; what is wrong with a run shows here."""

import os
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import torch

from trapo_core.base import small_world_base
from trapo_core.checkpoint import Saved
from trapo_core.data import Problem
from trapo_core.errors import FieldProblem, GpuLostError, SpecError
from trapo_core.gpu_trouble import gpus_given
from trapo_core.lora import FOLDER as ADAPTER
from trapo_core.lora import add_adapters, load_adapter
from trapo_core.model import Policy, init_tiny, load_policy, load_source
from trapo_core.parallel import World
from trapo_core.places import Places
from trapo_core.sources import SmallWorldModel, TinyModel, template_for
from trapo_core.spec import EvalSpec, TrainSpec, context_problems
from trapo_core.spec_parts import ONE_PROCESS_OF_A_SERVER, Resources
from trapo_core.tokenized import check_prompts

Progress = Callable[[str, int, int], None]


def check_world(spec: TrainSpec, world: World) -> None:
    """Raises SpecError for what one process can do and several cannot. How many they are is known only here where the
    spec leaves it to the host."""
    if world.size == 1:
        return
    if spec.lora:
        raise _wrong("/lora", "adapters are trained by one process so far.", "Set resources.gpus to 1.")
    if spec.sampling.engine == "vllm":
        text = f"{ONE_PROCESS_OF_A_SERVER}, and here are {world.size}."
        raise _wrong("/sampling/engine", text, "Start one process (resources.gpus: 1), or set it to batching.")


def choose_device(resources: Resources, world: World) -> torch.device:
    """This process's part of what the spec asks for. Raises SpecError if this host does not have it, and GpuLostError
    if it should have."""
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    given = gpus_given(os.environ)
    wanted = min(available or given, world.size) if resources.gpus is None else resources.gpus
    if available < wanted <= given:
        text = f"of the GPUs {os.environ['CUDA_VISIBLE_DEVICES']} that this process was given torch finds {available}."
        raise GpuLostError(text, "See that nvidia-smi lists them, and that torch is built for CUDA.")
    if wanted > available:
        raise _wrong("/resources/gpus", f"{wanted} is more than the {available} of this host.", "0 trains on the CPU.")
    if wanted not in (0, world.size):
        text = f"{wanted} GPUs need as many training processes, and here is a world of {world.size}."
        hint = "`trapo run` starts them for a training run; an evaluation uses one GPU."
        raise _wrong("/resources/gpus", text, hint)
    if resources.cpu_threads:
        torch.set_num_threads(resources.cpu_threads)
    return torch.device("cuda", world.local_rank) if wanted else torch.device("cpu")


def load_base(
    spec: TrainSpec | EvalSpec, places: Places, run_dir: Path, problems: Sequence[Problem], device: torch.device,
    *, progress: Progress, stop: Callable[[], None],
) -> Policy:  # fmt: skip
    """The model that the run starts from, made first if it is one of the project's own."""
    if excess := context_problems(spec):
        raise SpecError(excess)
    dtype = getattr(torch, spec.dtype)
    source = spec.model
    if isinstance(source, SmallWorldModel):
        folder = small_world_base(
            source, places.models_dir, report=lambda done, total: progress("base model", done, total), stop=stop
        )
        return load_policy(folder, device=device, dtype=dtype)
    if isinstance(source, TinyModel):
        return load_policy(_tiny_base(source, run_dir, problems), device=device, dtype=dtype)
    return load_source(source, places.models_dir, device=device, dtype=dtype)


def load_trained(
    spec: TrainSpec, places: Places, run_dir: Path, problems: Sequence[Problem], device: torch.device,
    saved: Saved | None, *, progress: Progress, stop: Callable[[], None],
) -> Policy:  # fmt: skip
    """The policy as a run begins or goes on: from its checkpoint; with adapters, from the base and the saved ones."""
    if saved and not spec.lora:
        return load_policy(saved.folder, device=device, dtype=getattr(torch, spec.dtype))
    policy = load_base(spec, places, run_dir, problems, device, progress=progress, stop=stop)
    if spec.lora:
        add_adapters(policy, spec.lora, seed=spec.seed)
        if saved:
            load_adapter(policy, saved.folder / "trainer" / ADAPTER)
    return policy


def _tiny_base(source: TinyModel, run_dir: Path, problems: Sequence[Problem]) -> Path:
    """Its tokenizer is trained on the training data, so it belongs to the run."""
    folder = run_dir / "base-model"
    if folder.exists():
        return folder
    if not problems:
        raise _wrong("/model/source", "a tiny model is made from training data.", "Evaluate a saved folder instead.")
    texts = (text for problem in problems for text in (problem.prompt, *problem.traces))
    return init_tiny(texts, folder, **source.model_dump(exclude={"source"}))


def _wrong(pointer: str, message: str, hint: str) -> SpecError:
    return SpecError([FieldProblem(pointer, message, hint)])


def check_fits(spec: TrainSpec, policy: Policy, problems: Sequence[Problem]) -> None:
    """Raises DataError, naming the problem, if a prompt and its response exceed the model's context."""
    check_prompts(
        problems, policy, template=template_for(spec.data, spec.template), max_tokens=spec.sampling.max_tokens
    )


def problems_of_step(problems: Sequence[Problem], *, seed: int, first: int, count: int) -> list[Problem]:
    """`count` problems from place `first` of an endless stream: epoch after epoch, each in its own shuffled order.

    A function of its arguments alone, so that a resumed run needs no data cursor beyond its step.
    """
    chosen = []
    for place in range(first, first + count):
        epoch, index = divmod(place, len(problems))
        chosen.append(problems[_epoch_order(seed, epoch, len(problems))[index]])
    return chosen


@lru_cache(maxsize=4)  # two orders are in use at the edge of an epoch, and as many for demonstrations
def _epoch_order(seed: int, epoch: int, size: int) -> tuple[int, ...]:
    order = list(range(size))
    random.Random(f"order-{seed}-{epoch}").shuffle(order)
    return tuple(order)
