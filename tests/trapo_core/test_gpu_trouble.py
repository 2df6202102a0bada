"""What a GPU does to a run is told apart from all else, and a lost GPU is nobody's wrong spec."""

import pytest
import torch

from trapo_core.errors import GpuLostError, SpecError
from trapo_core.gpu_trouble import gpu_error, gpus_given
from trapo_core.parallel import ALONE
from trapo_core.prepare import choose_device
from trapo_core.spec_parts import Resources

only_without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="here torch finds GPUs")
ADVICE = "\nCUDA kernel errors might be asynchronously reported at some other API call."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "oom_gpu"),
        (torch.AcceleratorError("CUDA error: out of memory" + ADVICE), "oom_gpu"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "oom_gpu"),
        (torch.AcceleratorError("CUDA error: unspecified launch failure" + ADVICE), "gpu_lost"),
        (torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered"), "gpu_lost"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(...)`"), "gpu_lost"),
        (RuntimeError("NVML_SUCCESS == r INTERNAL ASSERT FAILED at CUDACachingAllocator.cpp"), "gpu_lost"),
        (RuntimeError("No CUDA GPUs are available"), "gpu_lost"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), None),
        (NotImplementedError(), None),
    ],
)
def test_an_error_of_the_gpu_is_its_memory_or_its_loss(error: RuntimeError, reason: str | None) -> None:
    known = gpu_error(error)
    assert (known and known.reason) == reason
    assert known is None or str(error).partition("\n")[0] in str(known)


@pytest.mark.parametrize(("said", "count"), [("", 0), ("-1", 0), ("0", 1), ("GPU-a, GPU-b", 2), (None, 0)])
def test_how_many_gpus_were_given_is_read_from_the_environment(said: str | None, count: int) -> None:
    assert gpus_given({} if said is None else {"CUDA_VISIBLE_DEVICES": said}) == count


@only_without_gpu
@pytest.mark.parametrize("gpus", [None, 1, 2])
def test_gpus_that_were_given_and_are_not_there_are_lost(gpus: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(GpuLostError, match=r"GPUs 0,1 .* torch finds 0"):
        choose_device(Resources(gpus=gpus), ALONE)


@only_without_gpu
def test_a_run_that_wants_no_gpu_or_was_given_too_few_is_judged_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert choose_device(Resources(gpus=0), ALONE).type == "cpu"
    with pytest.raises(SpecError):
        choose_device(Resources(gpus=2), ALONE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert choose_device(Resources(), ALONE).type == "cpu"
    with pytest.raises(SpecError):
        choose_device(Resources(gpus=1), ALONE)
