"""Two real processes train as one does; what happens to one of them happens to all."""

import multiprocessing
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from runs.states import REASONS
from trapo_core import update
from trapo_core.__main__ import main
from trapo_core.engine import BatchingEngine
from trapo_core.errors import NonFiniteError
from trapo_core.events import Event, EventWriter, read_events
from trapo_core.launch import processes_wanted
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.spec import TrainSpec
from trapo_core.train import train as train_spec

from .conftest import Start, events_of, small_spec

TWO = {"TRAPO_PROCESSES": "2"}
DEMONSTRATIONS = {"demonstrations": {"prompts_per_step": 5}}
CHAINS = {"format": "small_world", "problems": 5, "min_ops": 1, "max_ops": 2, "seed": 9}
EVALUATED = {"evaluation": {"benchmarks": [{"name": "chains", "data": CHAINS, "samples": 3, "max_tokens": 20}]}}
TOLERANCE = 1e-6


def finished(process: "subprocess.Popen[str]", status: int = 0) -> None:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == status, output


def started_as_rank(rank: int, port: int, run_dir: Path, models_dir: Path, fault: str) -> None:
    """What torchrun does for a process; with a `fault` in the second one."""
    if rank == 1 and fault:
        FAULTS[fault]()
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
    os.environ.update(MASTER_PORT=str(port), TRAPO_MODELS_DIR=str(models_dir))
    raise SystemExit(main([str(run_dir)]))


def loss_is_nan_once() -> None:
    """In its third micro-batch."""
    whole, calls = update.batch_loss, count(1)
    update.batch_loss = lambda *given: whole(*given) * (float("nan") if next(calls) == 3 else 1.0)


def logits_are_nan_once() -> None:
    """In the second step's rollouts, about half-way."""
    whole, calls = BatchingEngine.step, count(1)

    def step(engine: BatchingEngine) -> Any:
        done = whole(engine)
        if next(calls) == 70:
            engine._waiting.clear()
            engine._running.clear()
            raise NonFiniteError("the logits are not finite.")
        return done

    BatchingEngine.step = step  # type: ignore[method-assign]


FAULTS = {"loss": loss_is_nan_once, "logits": logits_are_nan_once}
Train = Callable[..., None]


@pytest.fixture
def train(models_dir: Path) -> Train:
    """Train in a folder with so many processes, forked from one that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trapo_core.__main__"])

    def trained(spec: TrainSpec, run_dir: Path, processes: int, fault: str = "") -> None:
        run_dir.mkdir(exist_ok=True)
        (run_dir / "spec.json").write_text(spec.model_dump_json())
        if processes == 1:
            return run(spec, run_dir, models_dir)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        ranks = [
            context.Process(target=started_as_rank, args=(i, port, run_dir, models_dir, fault))
            for i in range(processes)
        ]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join(120)
        assert [rank.exitcode for rank in ranks] == [0] * processes

    return trained


def run(spec: TrainSpec, run_dir: Path, models_dir: Path) -> None:
    writer = EventWriter(run_dir)
    attempt = Attempt(writer)
    train_spec(spec, run_dir, Places(Path("nowhere"), models_dir), attempt)
    writer.close()


def curves(run_dir: Path, *keys: str) -> list[list[float]]:
    return [[event.metrics[key] for key in keys] for event in events_of(run_dir, "step")]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    last = sorted((run_dir / "checkpoints").glob("step-*"))[-1]
    return load_file(last / "model.safetensors")


def assert_same_training(one: Path, other: Path) -> None:
    keys = ("policy/loss", "policy/grad_norm", "reward/all", "expert/tokens", "engine/discarded_tokens")
    for mine, yours in zip(curves(one, *keys), curves(other, *keys), strict=True):
        assert mine == pytest.approx(yours, abs=TOLERANCE, rel=1e-5)
    theirs = weights(other)
    for name, weight in weights(one).items():
        torch.testing.assert_close(weight, theirs[name], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        # Small micro-batches, so that there are several, and often one more on one process than on the other.
        ("trapo", {"tokens_per_microbatch": 150, **EVALUATED}),
        ("chord_mu", {"tokens_per_microbatch": 150, **DEMONSTRATIONS}),
        # Several updates a batch and a reference read other weights' log-probs, on all processes too.
        ("grpo", {"updates_per_batch": 2, "policy": {"kl": 0.01}, "gradient_checkpointing": True}),
        # One problem a step: the other process rolls out nothing, and learns all the same.
        ("trapo", {"prompts_per_step": 1}),
    ],
)
def test_three_steps_of_two_processes_are_those_of_one(
    method: str, changes: dict[str, Any], train: Train, tmp_path: Path
) -> None:
    # AdamW divides by the gradient's size, so where that is rounding alone the weights would differ by a whole step.
    spec = small_spec(method=method, steps=3, optimizer={"lr": 1e-3, "eps": 1e-3}, **changes)
    train(spec, tmp_path / "one", 1)
    train(spec, tmp_path / "two", 2)
    assert_same_training(tmp_path / "two", tmp_path / "one")
    assert max(norm for (norm,) in curves(tmp_path / "one", "policy/grad_norm")) > 0
    # When a checkpoint is on the disk is the disk's affair; all else is told in the same order.
    told, alone = ([e.type for e in read_events(tmp_path / name) if e.type != "checkpoint"] for name in ("two", "one"))
    assert told == [*alone, "ended"]
    scores = [events_of(tmp_path / name, "score") for name in ("two", "one")]
    assert [(e.benchmark, e.score, e.low) for e in scores[0]] == [(e.benchmark, e.score, e.low) for e in scores[1]]


def test_in_bfloat16_the_whole_copy_samples_what_the_shards_learn(train: Train, tmp_path: Path) -> None:
    spec = small_spec(steps=3, dtype="bfloat16")
    train(spec, tmp_path / "one", 1)
    train(spec, tmp_path / "two", 2)
    alone, together = (max(curves(tmp_path / name, "sampler/logp_gap")) for name in ("one", "two"))
    assert 0 < together[0] < 1.5 * alone[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_finite_on_one_process_skips_the_step_on_all(fault: str, train: Train, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    train(small_spec(tokens_per_microbatch=300), run_dir, 2, fault)
    (skipped,) = events_of(run_dir, "step_skipped")
    steps = [event.step for event in events_of(run_dir, "step")]
    assert sorted([*steps, skipped.step]) == list(range(1, 7))
    assert read_events(run_dir)[-1].outcome == "succeeded"
    assert all(value.isfinite().all() for value in weights(run_dir).values())


@pytest.mark.slow
def test_a_run_goes_on_with_more_or_fewer_processes(start: Start, train: Train, tmp_path: Path) -> None:
    benchmark = {"name": "chains", "data": {"format": "small_world", "problems": 5}, "max_tokens": 20}
    evaluation = {"benchmarks": [benchmark], "every_steps": 2}
    spec = small_spec(optimizer={"lr": 1e-3, "eps": 1e-3}, evaluation=evaluation)
    train(spec, tmp_path / "whole", 1)
    for name, first, second in (("fewer", TWO, 1), ("more", {}, 2)):
        run_dir = tmp_path / name
        process = start(spec, run_dir, **first)
        _wait_for_steps(run_dir, 3)
        process.terminate()
        finished(process)
        assert read_events(run_dir)[-1].outcome == "stopped"
        train(spec, run_dir, second)
        assert events_of(run_dir, "attempt_started")[-1].resumed_from_step >= 3
        assert [event.step for event in events_of(run_dir, "step")] == list(range(1, 7))
        assert [event.step for event in events_of(run_dir, "score")] == [2, 4, 6]
        assert_same_training(run_dir, tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_one_process_killed_ends_the_attempt_with_a_reason(rank: int, start: Start, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = start(small_spec(steps=500), run_dir, **TWO)
    _wait_for_steps(run_dir, 1)
    began = time.monotonic()
    os.kill(_pids(process)[rank], signal.SIGKILL)
    finished(process, status=1)
    assert time.monotonic() - began < 30
    ended = read_events(run_dir)[-1]
    assert (ended.type, ended.outcome, ended.reason) == ("ended", "failed", "killed_signal")
    assert REASONS[ended.reason].retryable
    assert f"process {rank} of 2 was killed by SIGKILL" in ended.message


@pytest.mark.slow
def test_processes_whose_launcher_is_killed_save_and_stop(start: Start, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    process = start(small_spec(steps=500), run_dir, **TWO)
    _wait_for_steps(run_dir, 1)
    ranks = [psutil.Process(pid) for pid in _pids(process)]
    process.kill()
    process.wait()
    psutil.wait_procs(ranks, timeout=60)
    ended = read_events(run_dir)[-1]
    assert (ended.type, ended.outcome) == ("ended", "stopped")
    assert events_of(run_dir, "checkpoint")[-1].step == ended.step


@pytest.mark.slow
def test_what_is_wrong_is_told_once(start: Start, tmp_path: Path) -> None:
    finished(start(small_spec(prompts_per_step=25), tmp_path / "run", **TWO), status=1)
    told: list[Event] = read_events(tmp_path / "run")
    assert [event.type for event in told] == ["ended"]
    assert told[0].reason == "spec_invalid"


def test_as_many_processes_as_gpus_unless_they_are_started_or_missing(tmp_path: Path) -> None:
    spec: TrainSpec = small_spec(resources={"gpus": 4})
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    assert processes_wanted(tmp_path, {}, gpus_here=8) == 4
    assert processes_wanted(tmp_path, {}, gpus_here=2) == 1  # it tells so itself
    assert processes_wanted(tmp_path, {"WORLD_SIZE": "4"}, gpus_here=8) == 1
    assert processes_wanted(tmp_path / "nowhere", {}, gpus_here=8) == 1
    (tmp_path / "spec.json").write_text(spec.model_dump_json().replace('"train"', '"eval"'))
    assert processes_wanted(tmp_path, TWO, gpus_here=8) == 1


def _pids(process: "subprocess.Popen[str]") -> list[int]:
    """Of the ranks, in order; each may have children of its own."""
    return [child.pid for child in psutil.Process(process.pid).children()]


def _wait_for_steps(run_dir: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(events_of(run_dir, "step")) < count:
        assert time.monotonic() < deadline, "the processes took no step"
        time.sleep(0.01)
