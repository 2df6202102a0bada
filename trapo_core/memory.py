"""Bytes that a run takes on each of its GPUs, from the model's shape: what this trainer holds, and when.

Weights, gradients and AdamW's moments are float32 and, with several GPUs, sharded; each GPU then samples from a whole
copy. The engine keeps its keys and values through the update.
"""

from pydantic import Field

from trapo_core.shapes import ModelShape
from trapo_core.spec import EvalSpec, TrainSpec
from trapo_core.spec_parts import Benchmark
from trapo_core.workload import Frozen, StageWork, Workload, longest_prompt, samples_anything

FLOAT32 = 4
# `lm_head.CHUNK_BYTES`, and how many such buffers live at once there.
HEAD_CHUNK_BYTES, HEAD_BUFFERS = 1 << 28, 3
# `engine.batching.LENGTH_STEP` and `engine.stems.KEPT_TOKENS`.
CACHE_STEP, KEPT_TOKENS = 64, 262_144
# What is not counted or cannot be used, as a share of all: temporaries, and fragments of streams of changing length
# (bench/RESULTS.md). And a CUDA context.
OVERHEAD, CONTEXT_BYTES = 0.2, 500_000_000


class Memory(Frozen):
    """Bytes for each GPU; `peak` is the largest sum of what lives at the same time."""

    gpus: int
    weights: int
    gradients: int
    moments: int
    sampling_copy: int = Field(description="Whole weights to sample from, where the others are sharded.")
    reference: int = Field(description="Frozen weights of a KL term.")
    activations: int = Field(description="Of one micro-batch, as the spec has gradient_checkpointing.")
    activations_kept: int = Field(description="Without gradient_checkpointing.")
    activations_recomputed: int = Field(description="With it.")
    head: int = Field(description="Logits of a chunk, and the head's gradient.")
    optimizer_step: int = Field(description="Temporaries of AdamW.")
    keys_values: int = Field(description="Of the sampled batch, prompts and prefixes that it shares included.")
    keys_values_evaluation: int
    peak: int
    available: int | None = Field(description="The GPU's; null where it is not known.")

    @property
    def fits(self) -> bool:
        return self.available is None or self.peak <= self.available


def training_memory(
    spec: TrainSpec,
    shape: ModelShape,
    work: Workload,
    *,
    gpus: int,
    available: int | None,
) -> Memory:
    """With LoRA only the adapters have gradients and moments. `gpus` 0 is a CPU."""
    ranks = max(1, gpus)
    trained = shape.adapter_parameters(spec.lora.rank) if spec.lora else shape.parameters
    weights = FLOAT32 * (shape.parameters + (trained if spec.lora else 0)) // ranks
    tokens = microbatch_tokens(spec, work)
    kept, recomputed = (activations(shape, spec.dtype, tokens, recompute=again) for again in (False, True))
    parts = {
        "weights": weights,
        "gradients": FLOAT32 * trained // ranks,
        "moments": 2 * FLOAT32 * trained * (2 if spec.failure_buffer else 1) // ranks,
        "sampling_copy": sampling_copy(shape, spec.dtype) if ranks > 1 else 0,
        "reference": FLOAT32 * shape.parameters // ranks if spec.policy.kl else 0,
        "keys_values": training_cache(spec, shape, work, ranks),
    }
    update = recomputed if spec.gradient_checkpointing else kept
    head, evaluation = head_bytes(shape, spec.dtype, tokens), evaluation_cache(spec, shape)
    # Kernels of a GPU work on all parameters at once, those of a CPU on one after the other.
    step = FLOAT32 * trained // ranks if gpus else FLOAT32 * shape.vocabulary * shape.hidden
    peak = sum(parts.values()) + max(update + head + compute_copy(shape, spec.dtype, ranks), step, evaluation)
    return Memory(
        gpus=gpus, **parts, activations=update, activations_kept=kept, activations_recomputed=recomputed, head=head,
        optimizer_step=step, keys_values_evaluation=evaluation, peak=_with_overhead(peak, gpus), available=available,
    )  # fmt: skip


def evaluation_memory(spec: EvalSpec, shape: ModelShape, *, gpus: int, available: int | None) -> Memory:
    weights, cache = FLOAT32 * shape.parameters, evaluation_cache(spec, shape)
    return Memory(
        gpus=gpus, weights=weights, gradients=0, moments=0, sampling_copy=0, reference=0, activations=0,
        activations_kept=0, activations_recomputed=0, head=0, optimizer_step=0, keys_values=0,
        keys_values_evaluation=cache, peak=_with_overhead(weights + cache, gpus), available=available,
    )  # fmt: skip


def _with_overhead(needed: int, gpus: int) -> int:
    return round(needed * (1 + OVERHEAD)) + (CONTEXT_BYTES if gpus else 0)


# ------------------------------------------------------------------------------------------------------- the update


def microbatch_tokens(spec: TrainSpec, work: Workload) -> int:
    """The budget; a response that exceeds it is a micro-batch of its own, and a small step does not fill it."""
    longest = longest_prompt(spec.data) + spec.sampling.max_tokens
    return min(max(spec.tokens_per_microbatch, longest), max(stage.trained.at_most for stage in work.stages))


def activations(shape: ModelShape, dtype: str, tokens: int, *, recompute: bool) -> int:
    """What the backward pass of a micro-batch reads. With `recompute` a layer keeps its input alone, and one layer at
    a time is whole. Beside it live the gradients of the widest parts, and the states around the layers."""
    layer, stream = layer_activations(shape, dtype), FLOAT32 * shape.hidden
    around = 4 * stream  # embeddings, last norm, states that the head reads
    gradients = 3 * width_of(dtype) * shape.feed_forward
    inside = shape.layers * stream + layer if recompute else shape.layers * layer
    return tokens * (inside + around + gradients)


def layer_activations(shape: ModelShape, dtype: str) -> int:
    """Bytes a token of one whole layer. The residual stream and what norms keep are float32 under autocast too."""
    width, stream = width_of(dtype), FLOAT32 * shape.hidden
    norms = 2 * (2 * stream + width * shape.hidden)  # input, normed, and the cast that the products read
    attention = width * (3 * shape.query_width + 2 * shape.key_width)  # query, key, value, result twice
    mlp = 4 * width * shape.feed_forward  # gate, its activation, up, product
    return norms + attention + mlp


def head_bytes(shape: ModelShape, dtype: str, tokens: int) -> int:
    """The head's weight in its own dtype, its whole gradient, and the logits of a chunk."""
    logits = min(HEAD_CHUNK_BYTES, FLOAT32 * tokens * shape.vocabulary)
    weight = shape.vocabulary * shape.hidden
    cast = width_of(dtype) * weight if dtype != "float32" else 0
    return HEAD_BUFFERS * logits + FLOAT32 * weight + cast


def compute_copy(shape: ModelShape, dtype: str, ranks: int) -> int:
    """Weights in the dtype of the products, as autocast keeps them; with shards, the two blocks that are gathered."""
    blocks = shape.layers if ranks == 1 else min(2, shape.layers)
    if dtype == "float32":
        return 0 if ranks == 1 else FLOAT32 * blocks * shape.layer_parameters
    return width_of(dtype) * blocks * shape.layer_parameters


def sampling_copy(shape: ModelShape, dtype: str) -> int:
    """Blocks in the run's dtype; embeddings and head stay float32."""
    around = shape.parameters - shape.layers * shape.layer_parameters
    return width_of(dtype) * shape.layers * shape.layer_parameters + FLOAT32 * around


def width_of(dtype: str) -> int:
    """Bytes of a number."""
    return 2 if dtype == "bfloat16" else FLOAT32


# ------------------------------------------------------------------------------------------------- keys and values


def token_cache(shape: ModelShape, dtype: str) -> int:
    """Bytes of keys and values of one token."""
    return 2 * width_of(dtype) * shape.layers * shape.key_width


def row_cache(shape: ModelShape, dtype: str, tokens: int) -> int:
    """Bytes of one sample's row, whose length is rounded up."""
    return -(-tokens // CACHE_STEP) * CACHE_STEP * token_cache(shape, dtype)


def training_cache(spec: TrainSpec, shape: ModelShape, work: Workload, ranks: int) -> int:
    """Rows are made for the whole batch, however few samples there are; beside them, what samples share."""
    if not any(samples_anything(slot) for stage in spec.stages() for slot in stage.guidance.slots):
        return 0
    row = row_cache(shape, spec.dtype, longest_prompt(spec.data) + spec.sampling.max_tokens)
    shared = max(_shared_tokens(stage, ranks) for stage in work.stages)
    return spec.sampling.batch_size * row + shared * token_cache(shape, spec.dtype)


def _shared_tokens(stage: StageWork, ranks: int) -> int:
    return min(KEPT_TOKENS, -(-stage.prefixes.expected // ranks))


def evaluation_cache(spec: TrainSpec | EvalSpec, shape: ModelShape) -> int:
    """The largest benchmark's: each has an engine of its own, beside that of training."""
    settings = spec if isinstance(spec, EvalSpec) else spec.evaluation
    rows = (_benchmark_row(benchmark, shape, spec.dtype) for benchmark in settings.benchmarks)
    return settings.batch_size * max(rows, default=0)


def _benchmark_row(benchmark: Benchmark, shape: ModelShape, dtype: str) -> int:
    return row_cache(shape, dtype, longest_prompt(benchmark.data) + benchmark.max_tokens)
