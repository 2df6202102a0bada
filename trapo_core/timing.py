"""How long a run may take, from its operations and a device's figures: a range, and an estimate.

For the expected lengths of `workload.py`. Not counted: answers that are slow to check, loading, writing checkpoints.
"""

from pydantic import Field

from trapo_core.devices import BANDWIDTH_SHARE, Device
from trapo_core.memory import token_cache, width_of
from trapo_core.shapes import ModelShape
from trapo_core.spec import EvalSpec, TrainSpec
from trapo_core.workload import Frozen, StageWork, Workload

# A forward pass; the backward pass costs two of them, recomputed activations one more.
TRAINED_PASSES, RECOMPUTED_PASSES = 3, 4
# Bytes of a parameter that AdamW reads and writes: weight, gradient and two moments in, all but the gradient out.
STEP_BYTES = 28


class Seconds(Frozen):
    low: float
    high: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(low=self.low + other.low, high=self.high + other.high)

    def times(self, count: int) -> "Seconds":
        return Seconds(low=self.low * count, high=self.high * count)

    @property
    def rounded(self) -> "Seconds":
        """To two digits: there are no more in an estimate."""
        return Seconds(low=float(f"{self.low:.2g}"), high=float(f"{self.high:.2g}"))


class StageTime(Frozen):
    """A step of a stage; operations are those of all GPUs together."""

    name: str
    rollout_flops: float
    update_flops: float
    rollout: Seconds
    update: Seconds


class Time(Frozen):
    """Seconds of a step by stage, of all evaluations, and of everything."""

    stages: tuple[StageTime, ...]
    evaluation: Seconds
    total: Seconds = Field(description="For the expected lengths; without loading and without slow answers.")


def training_time(spec: TrainSpec, shape: ModelShape, work: Workload, device: Device, gpus: int) -> Time:
    stages = tuple(_stage_time(spec, shape, stage, device, max(1, gpus)) for stage in work.stages)
    evaluation = evaluation_time(spec, shape, work, device, gpus)
    steps = zip(stages, work.stages, strict=True)
    total = sum(((time.rollout + time.update).times(stage.steps) for time, stage in steps), evaluation)
    rounded = (
        stage.model_copy(update={"rollout": stage.rollout.rounded, "update": stage.update.rounded}) for stage in stages
    )
    return Time(stages=tuple(rounded), evaluation=evaluation.rounded, total=total.rounded)


def evaluation_time(
    spec: TrainSpec | EvalSpec, shape: ModelShape, work: Workload, device: Device, gpus: int
) -> Seconds:
    settings = spec if isinstance(spec, EvalSpec) else spec.evaluation
    longest = max((benchmark.max_tokens for benchmark in settings.benchmarks), default=1)
    samples = work.evaluation.at_most // longest
    return decode_time(
        shape, spec.dtype, device, tokens=work.evaluation.expected, samples=samples, rows=settings.batch_size,
        longest=longest, ranks=max(1, gpus),
    )  # fmt: skip


def _stage_time(spec: TrainSpec, shape: ModelShape, stage: StageWork, device: Device, ranks: int) -> StageTime:
    limit = spec.sampling.max_tokens
    context = stage.trained.expected / stage.samples_per_step / 2
    prefill = forward_flops(shape, stage.prefixes.expected, context)
    sampling = forward_flops(shape, stage.sampled.expected, context)
    # Log-probs of the weights before the step, and of the reference: one more pass each.
    more = (spec.updates_per_batch > 1) + bool(spec.policy.kl)
    passes = (RECOMPUTED_PASSES if spec.gradient_checkpointing else TRAINED_PASSES) + more
    update = passes * forward_flops(shape, stage.trained.expected, context)
    drawn = decode_time(
        shape, spec.dtype, device, tokens=stage.sampled.expected, samples=stage.sampled.at_most // limit,
        rows=spec.sampling.batch_size, longest=limit, ranks=ranks,
    )  # fmt: skip
    microbatches = -(-stage.trained.expected // (ranks * spec.tokens_per_microbatch))
    host, learn = _host(shape, device, passes * microbatches), _products(update, device, spec.dtype, ranks)
    step = _moved(STEP_BYTES * shape.parameters / ranks, device).times(spec.updates_per_batch)
    return StageTime(
        name=stage.name,
        rollout_flops=prefill + sampling,
        update_flops=update,
        rollout=drawn + _products(prefill, device, spec.dtype, ranks),
        update=Seconds(low=max(host.low, learn.low), high=host.high + learn.high) + step,
    )


def decode_time(
    shape: ModelShape, dtype: str, device: Device, *, tokens: int, samples: int, rows: int, longest: int, ranks: int
) -> Seconds:
    """Seconds of drawing `tokens` in `samples`, `rows` at once on each of `ranks`. A pass reads all weights and the
    cached tokens, and starts every kernel; at best all rows stay full, at worst the longest sample comes last."""
    if not tokens:
        return Seconds(low=0.0, high=0.0)
    running = max(1, min(rows, -(-samples // ranks)))
    full = tokens / ranks / running
    context = tokens / samples
    passes = Seconds(low=full, high=full + longest)
    # On one device autocast reads float32 weights, writes and reads their copy in every pass.
    each = 8 if dtype == "bfloat16" and ranks == 1 else width_of(dtype)
    moved = each * shape.product_parameters + running * context * token_cache(shape, dtype)
    flops = forward_flops(shape, running, context)
    kernels, memory, products = _host(shape, device, 1), _moved(moved, device), _products(flops, device, dtype, 1)
    low = max(kernels.low, memory.low, products.low)
    return Seconds(low=passes.low * low, high=passes.high * (kernels.high + max(memory.high, products.high)))


def forward_flops(shape: ModelShape, tokens: float, context: float) -> float:
    """Operations of one forward pass over `tokens` that see `context` others each on average: two for each weight,
    and four for each query width and token seen."""
    return tokens * (2 * shape.product_parameters + 4 * shape.layers * shape.query_width * context)


def _products(flops: float, device: Device, dtype: str, ranks: int) -> Seconds:
    least = flops / ranks / device.flops(dtype)
    return Seconds(low=least / device.product_share[1], high=least / device.product_share[0])


def _moved(count: float, device: Device) -> Seconds:
    least = count / device.bandwidth
    return Seconds(low=least / BANDWIDTH_SHARE[1], high=least / BANDWIDTH_SHARE[0])


def _host(shape: ModelShape, device: Device, passes: int) -> Seconds:
    """Embeddings, head and draw count as one more layer."""
    layers = passes * (shape.layers + 1)
    return Seconds(low=layers * device.layer_host_s[0], high=layers * device.layer_host_s[1])
