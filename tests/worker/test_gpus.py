"""GPUs are found without torch and never shared."""

from worker.gpus import GpuPool, find_gpus


def test_no_gpu_is_handed_out_twice():
    pool = GpuPool(["a", "b", "c"])
    assert pool.take(2) == ["a", "b"]
    assert pool.take(2) is None
    assert pool.take(None) == ["c"]
    assert pool.take(0) == []
    pool.give_back(["a", "b"])
    assert pool.take(2) == ["a", "b"]


def test_without_gpus_a_run_without_a_wish_uses_the_cpu():
    assert GpuPool([]).take(None) == []
    assert GpuPool([]).take(1) is None


def test_gpus_chosen_for_the_worker_are_the_workers(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1, GPU-2")
    assert find_gpus() == ["GPU-1", "GPU-2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_gpus() == []
