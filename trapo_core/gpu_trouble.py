"""What a GPU can do to a run, told from what torch raises and from what the process was given."""

from collections.abc import Mapping

import torch

from trapo_core.errors import GpuLostError, GpuMemoryError, TrapoError

# Torch raises its own types for most; libraries on the GPU and the start of CUDA say it in a RuntimeError.
WORDS = ("CUDA error", "CUDA driver error", "CUDA unknown error", "cudaGetDeviceCount", "No CUDA GPUs", "NVML")
MEMORY_WORDS = ("out of memory", "ALLOC_FAILED")


def gpu_error(error: RuntimeError) -> TrapoError | None:
    """`error` as one of ours, if it came from a GPU: its memory did not hold what was asked for, or it is lost to this
    process, which cannot use it again whatever befell it."""
    words = str(error)
    if not isinstance(error, (torch.OutOfMemoryError, torch.AcceleratorError)) and not any(w in words for w in WORDS):
        return None
    if isinstance(error, torch.OutOfMemoryError) or any(w in words for w in MEMORY_WORDS):
        return GpuMemoryError(words, "Lower tokens_per_microbatch or sampling.batch_size.")
    # The lines after the first are advice on debugging torch.
    return GpuLostError(
        f"The GPU failed: {words.partition(chr(10))[0]}.", "nvidia-smi and the host's log (Xid) say why."
    )


def gpus_given(environment: Mapping[str, str]) -> int:
    """How many GPUs whoever started this process meant it to have; 0 if that was not said."""
    chosen = environment.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return sum(gpu.strip() not in ("", "-1") for gpu in chosen)
