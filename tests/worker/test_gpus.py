"""GPUs are found without torch."""

from worker.gpus import find_gpus


def test_gpus_chosen_for_the_worker_are_the_workers(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1, GPU-2")
    assert find_gpus() == ["GPU-1", "GPU-2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_gpus() == []


def test_a_setting_may_say_how_many_there_are():
    assert find_gpus(2) == ["0", "1"]
    assert find_gpus(0) == []
