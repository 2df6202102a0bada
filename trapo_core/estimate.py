"""What a spec will take, before anything starts: sizes, memory, disk, time, and what is doubtful about it.

Pure functions of spec and model shape; see `docs/plan.md` for how far the figures have been compared with reality.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from trapo_core.devices import DEVICES, Device, DeviceName
from trapo_core.errors import FieldProblem
from trapo_core.memory import FLOAT32, Memory, evaluation_memory, training_memory
from trapo_core.shapes import ModelShape
from trapo_core.sources import SmallWorldData
from trapo_core.spec import EvalSpec, TrainSpec, context_problems
from trapo_core.timing import Time, evaluation_time, training_time
from trapo_core.workload import (
    COMPLETION_SHARE,
    GUIDED_SHARE,
    PROMPT_TOKENS,
    TRACE_SHARE,
    Frozen,
    StageWork,
    Workload,
    workload,
)

# A rollout file's bytes for each token (id, log-prob, entropy, text; zstd), and events of a step.
ROLLOUT_TOKEN_BYTES = 14
STEP_EVENT_BYTES = 2000
# Shorter micro-batches than this are no remedy: they leave a GPU idle.
LEAST_MICROBATCH = 4096


class Disk(Frozen):
    """Bytes below the run's folder at its end; `peak` while a checkpoint is written beside those that are kept."""

    checkpoint: int
    rollouts_per_step: int
    events: int
    total: int
    peak: int


class Estimate(Frozen):
    """What a spec will take. Memory, disk and time are null where the model's size is not known; `notes` say why, and
    what was assumed. `warnings` are what its author should look at."""

    device: DeviceName
    gpus: int = Field(description="0: a CPU.")
    parameters: int | None
    work: Workload
    memory: Memory | None
    disk: Disk | None
    time: Time | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def estimate(
    spec: TrainSpec | EvalSpec, shape: ModelShape | str, *, device: DeviceName | None = None, gpus: int | None = None
) -> Estimate:
    """`shape` as `shape_of` returns it. Without `gpus`, the spec's, or one; without `device`, an H100, or the CPU of a
    spec without GPUs. On a CPU `gpus` counts for nothing."""
    wanted = next((count for count in (gpus, spec.resources.gpus) if count is not None), 1)
    name: DeviceName = device or ("h100" if wanted else "cpu")
    count = 0 if name == "cpu" else max(1, wanted)
    work = workload(spec)
    notes, warnings = tuple(_assumptions(work)), tuple(_spec_warnings(spec))
    if isinstance(shape, str):
        return Estimate(
            device=name, gpus=count, parameters=None, work=work, memory=None, disk=None, time=None,
            notes=(f"{shape} Memory, disk and time are left out.", *notes), warnings=warnings,
        )  # fmt: skip
    memory, disk, time = _figures(spec, shape, work, DEVICES[name], count)
    warnings += (*_room_warnings(spec, shape), *_memory_warnings(spec, shape, memory, DEVICES[name]))
    return Estimate(
        device=name, gpus=count, parameters=shape.parameters, work=work, memory=memory, disk=disk, time=time,
        notes=(*_shape_notes(shape), *notes), warnings=warnings,
    )  # fmt: skip


def room_problems(spec: TrainSpec | EvalSpec, shape: ModelShape | str) -> list[FieldProblem]:
    """Responses that cannot fit the model's context, where that is known."""
    return [] if isinstance(shape, str) or shape.context is None else context_problems(spec, shape.context)


def _figures(
    spec: TrainSpec | EvalSpec, shape: ModelShape, work: Workload, device: Device, gpus: int
) -> tuple[Memory, Disk | None, Time]:
    memory = _memory(spec, shape, work, gpus=gpus, available=device.memory)
    if isinstance(spec, TrainSpec):
        return memory, disk_of(spec, shape, work), training_time(spec, shape, work, device, gpus)
    seconds = evaluation_time(spec, shape, work, device, gpus).rounded
    return memory, None, Time(stages=(), evaluation=seconds, total=seconds)


def _memory(
    spec: TrainSpec | EvalSpec, shape: ModelShape, work: Workload, *, gpus: int, available: int | None
) -> Memory:
    if isinstance(spec, TrainSpec):
        return training_memory(spec, shape, work, gpus=gpus, available=available)
    return evaluation_memory(spec, shape, gpus=gpus, available=available)


def disk_of(spec: TrainSpec, shape: ModelShape, work: Workload) -> Disk:
    """A checkpoint has the weights, which are whole also of adapters, and the moments of what is trained."""
    trained = shape.adapter_parameters(spec.lora.rank) if spec.lora else shape.parameters
    moments = 2 * FLOAT32 * trained * (2 if spec.failure_buffer else 1)
    checkpoint = FLOAT32 * shape.parameters + moments
    kept = min(spec.checkpoints.keep_last, -(-spec.total_steps // spec.checkpoints.every_steps))
    rollouts = sum(stage.steps * _rollout_bytes(stage) for stage in work.stages)
    reference = FLOAT32 * shape.parameters if spec.policy.kl else 0
    events = spec.total_steps * STEP_EVENT_BYTES
    total = kept * checkpoint + reference + rollouts + events
    return Disk(
        checkpoint=checkpoint, rollouts_per_step=max(map(_rollout_bytes, work.stages)), events=events, total=total,
        peak=total + checkpoint,
    )  # fmt: skip


def _rollout_bytes(stage: StageWork) -> int:
    return ROLLOUT_TOKEN_BYTES * stage.trained.expected


# ------------------------------------------------------------------------------------------------ what to look at


def _assumptions(work: Workload) -> Iterator[str]:
    yield (
        f"Expected lengths are guesses: completions of {COMPLETION_SHARE:.0%} and expert traces of {TRACE_SHARE:.0%} "
        f"of their limit, guidance in {GUIDED_SHARE:.0%} of the slots that depend on rewards."
    )
    if work.not_counted:
        yield f"Not counted, as the number of problems is not known: {', '.join(work.not_counted)}."


def _shape_notes(shape: ModelShape) -> Iterator[str]:
    if shape.known_from == "name":
        yield "The model is not in the Hub cache; its size is that of the family in its name."


def _spec_warnings(spec: TrainSpec | EvalSpec) -> Iterator[str]:
    if spec.model.source == "hub" and len(spec.model.revision) != 40:
        yield f"The model's revision {spec.model.revision!r} can move; pin a commit for a result you want to repeat."
    if isinstance(spec, TrainSpec):
        yield from spec.warnings()
        if not spec.evaluation.benchmarks:
            yield "No benchmark: the run will have curves but no scores."


def _room_warnings(spec: TrainSpec | EvalSpec, shape: ModelShape) -> Iterator[str]:
    """Where an assumed prompt does not fit beside the longest response. What surely does not is a `room_problem`."""
    if shape.context is None or not isinstance(spec, TrainSpec) or isinstance(spec.data, SmallWorldData):
        return
    room = shape.context - spec.sampling.max_tokens
    if 0 < room < PROMPT_TOKENS:
        yield (
            f"sampling.max_tokens {spec.sampling.max_tokens} leaves {room} tokens for a prompt in a context of "
            f"{shape.context}; a longer prompt is refused when the run starts. Lower it."
        )


def _memory_warnings(spec: TrainSpec | EvalSpec, shape: ModelShape, memory: Memory, device: Device) -> Iterator[str]:
    if memory.fits or device.memory is None:
        return
    yield (
        f"About {_gb(memory.peak)} GB a GPU are needed, and the {device.title} has {_gb(device.memory)}. "
        f"{_remedy(spec, shape, memory.gpus, device.memory)}"
    )


def _remedy(spec: TrainSpec | EvalSpec, shape: ModelShape, gpus: int, available: int) -> str:
    """The first knobs with which the estimate fits; what costs least time first."""
    for changed in _lighter(spec) if isinstance(spec, TrainSpec) else _smaller(spec):
        if _memory(changed, shape, workload(changed), gpus=gpus, available=available).fits:
            return f"Set {_differences(spec.model_dump(), changed.model_dump())}."
    return "No batch size fits: take more or larger GPUs, or a smaller model."


def _smaller(spec: EvalSpec) -> Iterator[EvalSpec]:
    for size in _halves(spec.batch_size, least=1):
        yield spec.model_copy(update={"batch_size": size})


def _lighter(spec: TrainSpec) -> Iterator[TrainSpec]:
    """Shorter micro-batches, or recomputed activations; then with these fewer samples at once; then all three."""
    budgets = _halves(spec.tokens_per_microbatch, least=LEAST_MICROBATCH)
    shorter = [spec.model_copy(update={"tokens_per_microbatch": budget}) for budget in budgets]
    yield from shorter
    for one in (spec, *shorter[-1:]):
        recomputed = one.model_copy(update={"gradient_checkpointing": True})
        yield recomputed
        for size in _halves(max(spec.sampling.batch_size, spec.evaluation.batch_size), least=1):
            yield _with_batch(recomputed, size)


def _with_batch(spec: TrainSpec, size: int) -> TrainSpec:
    """At most so many samples at once, in training and in evaluation."""
    sampling = spec.sampling.model_copy(update={"batch_size": min(size, spec.sampling.batch_size)})
    evaluation = spec.evaluation.model_copy(update={"batch_size": min(size, spec.evaluation.batch_size)})
    return spec.model_copy(update={"sampling": sampling, "evaluation": evaluation})


def _differences(before: dict[str, Any], after: dict[str, Any], path: str = "") -> str:
    """Such as `sampling.batch_size=16, gradient_checkpointing=true`, as `--set` takes them one by one."""
    words = []
    for name, value in after.items():
        if isinstance(value, dict) and value != before[name]:
            words.append(_differences(before[name], value, f"{path}{name}."))
        elif value != before[name]:
            words.append(f"{path}{name}={str(value).lower()}")
    return ", ".join(words)


def _halves(number: int, *, least: int) -> Iterator[int]:
    while number // 2 >= least:
        number //= 2
        yield number


def _gb(count: int) -> str:
    return f"{count / 1e9:.0f}"
