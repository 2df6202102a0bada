"""Checkpoints beside the training: a copy at once, the rest in a thread, told when it is on the disk."""

import errno
import threading
from pathlib import Path

import pytest
import torch

from trapo_core import checkpoint
from trapo_core.checkpoint import TrainerState
from trapo_core.errors import DiskError, SpecError
from trapo_core.events import BenchmarkScore, EventWriter
from trapo_core.model import Policy, load_policy
from trapo_core.parallel import ALONE
from trapo_core.process import Attempt
from trapo_core.saver import Saver
from trapo_core.spec import TrainSpec

from .conftest import Values, events_of, small_spec
from .test_checkpoint import stepped

BENCHMARK = {"name": "chains", "data": {"format": "small_world"}, "samples": 4, "max_tokens": 20, "pass_at": [2]}
KEEP_BEST = {"every_steps": 2, "keep_last": 1, "keep_best": {"benchmark": "chains", "metric": "avg@4"}}


class SlowDisk(Attempt):
    """Writing begins with a sync of the events; here it waits until the disk is let go."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(EventWriter(run_dir))
        self.disk = threading.Event()

    def sync(self) -> None:
        assert self.disk.wait(30)


class FullDisk(Attempt):
    def sync(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def saver_of(run_dir: Path, state: TrainerState, attempt: Attempt | None = None, **changes: Values) -> Saver:
    attempt = attempt or Attempt(EventWriter(run_dir))
    return Saver(run_dir, small_spec(**changes), state, attempt, ALONE)


def score(step: int, value: float, metric: str = "avg@4") -> BenchmarkScore:
    return BenchmarkScore(
        step=step, benchmark="chains", metric=metric, score=value, low=0, high=1, confidence=0.95,
        interval="cluster_bootstrap", problems=8, samples=4,
    )  # fmt: skip


def kept(run_dir: Path) -> list[str]:
    return sorted(folder.name for folder in (run_dir / "checkpoints").iterdir())


def test_training_goes_on_while_the_weights_of_the_moment_are_written(policy: Policy, tmp_path: Path) -> None:
    optimizer, attempt = stepped(policy), SlowDisk(tmp_path)
    before = {name: value.clone() for name, value in policy.model.state_dict().items()}
    with saver_of(tmp_path, TrainerState(step=2), attempt) as saver:
        saver.save(policy, {"main": optimizer})
        stepped(policy)
        saver.look()
        assert not (tmp_path / "checkpoints").exists()
        assert not events_of(tmp_path, "checkpoint")
        attempt.disk.set()
    saved = checkpoint.latest(tmp_path)
    assert saved is not None
    (told,) = events_of(tmp_path, "checkpoint")
    assert (told.step, told.sha256, told.bytes) == (2, saved.sha256, saved.bytes)
    loaded = load_policy(saved.folder, device=policy.device, dtype=policy.dtype).model.state_dict()
    for name, value in before.items():
        assert torch.equal(loaded[name], value)


def test_the_next_one_waits_for_the_one_in_flight(policy: Policy, tmp_path: Path) -> None:
    state, attempt = TrainerState(step=2), SlowDisk(tmp_path)
    with saver_of(tmp_path, state, attempt) as saver:
        saver.save(policy, {"main": stepped(policy)})
        threading.Timer(0.2, attempt.disk.set).start()
        state.step = 4
        saver.save(policy, {"main": stepped(policy)})
        assert [event.step for event in events_of(tmp_path, "checkpoint")] == [2]
    assert [event.step for event in events_of(tmp_path, "checkpoint")] == [2, 4]
    assert kept(tmp_path) == ["step-000002", "step-000004"]


def test_a_step_is_saved_once(policy: Policy, tmp_path: Path) -> None:
    with saver_of(tmp_path, TrainerState(step=2)) as saver:
        for _ in range(2):
            saver.save(policy, {"main": stepped(policy)})
    assert [event.step for event in events_of(tmp_path, "checkpoint")] == [2]


def test_what_goes_wrong_while_writing_is_raised_at_the_next_step(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    saver = saver_of(tmp_path, TrainerState(step=2))
    saver.save(policy, {"main": stepped(policy)})
    with pytest.raises(NotADirectoryError):
        while True:
            saver.look()
    full = saver_of(tmp_path, TrainerState(step=2), FullDisk(EventWriter(tmp_path)))
    full.save(policy, {"main": stepped(policy)})
    with pytest.raises(DiskError, match=r"No space left on device.*Free space, then resume") as caught:
        full.settle()
    assert caught.value.reason == "disk_full"


def test_the_best_the_pinned_and_the_last_stay(policy: Policy, tmp_path: Path) -> None:
    state, optimizer = TrainerState(), stepped(policy)
    values = {2: 0.3, 4: 0.7, 6: 0.7, 8: 0.2, 10: 0.1}
    evaluation = {"every_steps": 2, "benchmarks": [BENCHMARK]}
    with saver_of(tmp_path, state, checkpoints=KEEP_BEST, evaluation=evaluation) as saver:
        for state.step, value in values.items():
            saver.save(policy, {"main": optimizer})
            saver.settle()
            if state.step == 8:
                (tmp_path / "checkpoints" / "step-000008" / checkpoint.PINNED).touch()
            saver.evaluated([score(state.step, value), score(state.step, 1 - value, "pass@2")])
    assert kept(tmp_path) == ["step-000004", "step-000008", "step-000010"]
    resumed = checkpoint.load_state(checkpoint.latest(tmp_path), saver._spec)  # type: ignore[arg-type]
    assert (resumed.best_step, resumed.best_score, resumed.evaluated_step) == (4, 0.7, 10)


def test_the_best_by_a_score_that_nobody_measures_is_refused() -> None:
    evaluation = {"benchmarks": [BENCHMARK]}

    def asked(benchmark: str, metric: str) -> TrainSpec:
        best = {"benchmark": benchmark, "metric": metric}
        return small_spec(checkpoints={"keep_best": best}, evaluation=evaluation)

    asked("chains", "pass@2")
    with pytest.raises(SpecError, match=r"/checkpoints/keep_best/benchmark: 'chain' is not.*Its benchmarks: chains"):
        asked("chain", "avg@4")
    with pytest.raises(SpecError, match=r"/checkpoints/keep_best/metric: chains has no avg@8. It has avg@4, pass@2"):
        asked("chains", "avg@8")
