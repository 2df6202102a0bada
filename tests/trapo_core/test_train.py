"""The loop: stopped, killed or failed, a run keeps its word."""

import signal
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from trapo_core import checkpoint
from trapo_core.errors import DataError, RewardError, SpecError
from trapo_core.evaluate import Judge, LoadedBenchmark, run_benchmark
from trapo_core.events import EventWriter, read_events
from trapo_core.places import Places
from trapo_core.prepare import problems_of_step
from trapo_core.process import Attempt, StopRequested
from trapo_core.saver import Saver
from trapo_core.spec import TrainSpec
from trapo_core.train import train

from .conftest import Start, events_of, final_weights, small_spec, write_json_lines


def run(spec: TrainSpec, run_dir: Path, models_dir: Path, stop_after: int | None = None) -> int:
    """Train in this process; with `stop_after`, ask for a stop once that step is done."""
    run_dir.mkdir(exist_ok=True)

    class Stopping(Attempt):
        def report(self, *events) -> None:  # type: ignore[no-untyped-def]
            super().report(*events)
            if any(event.type == "step" and event.step == stop_after for event in events):
                self.ask_to_stop()

    writer = EventWriter(run_dir)
    try:
        return train(spec, run_dir, Places(Path("nowhere"), models_dir), Stopping(writer))
    finally:
        writer.close()


@pytest.fixture(scope="module")
def undisturbed(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small spec, run to its end in one go."""
    run_dir = tmp_path_factory.mktemp("undisturbed")
    run(small_spec(), run_dir, models_dir)
    return run_dir


def test_two_runs_of_one_spec_end_in_the_same_bits(undisturbed: Path, models_dir: Path, tmp_path: Path) -> None:
    run(small_spec(), tmp_path, models_dir)
    assert final_weights(tmp_path) == final_weights(undisturbed)


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_stopped_and_resumed_run_ends_in_the_same_bits(
    undisturbed: Path, models_dir: Path, tmp_path: Path, stop_after: int
) -> None:
    with pytest.raises(StopRequested):
        run(small_spec(), tmp_path, models_dir, stop_after)
    assert [event.step for event in events_of(tmp_path, "step")] == list(range(1, stop_after + 1))
    run(small_spec(), tmp_path, models_dir)
    assert events_of(tmp_path, "attempt_started")[-1].resumed_from_step == stop_after
    assert [event.step for event in events_of(tmp_path, "step")] == list(range(1, 7))
    assert final_weights(tmp_path) == final_weights(undisturbed)


def test_resuming_in_the_second_stage_ends_in_the_same_bits(models_dir: Path, tmp_path: Path) -> None:
    spec = small_spec(method="sft_then_rl", steps=3, warm_start={"steps": 2, "prompts_per_step": 4})
    run(spec, tmp_path / "whole", models_dir)
    for stop_after in (1, 2, 4):
        run_dir = tmp_path / f"stopped-{stop_after}"
        with pytest.raises(StopRequested):
            run(spec, run_dir, models_dir, stop_after)
        run(spec, run_dir, models_dir)
        assert final_weights(run_dir) == final_weights(tmp_path / "whole")


@pytest.mark.parametrize("kill_after", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_anywhere_a_run_resumes_to_the_same_bits(
    undisturbed: Path, start: Start, tmp_path: Path, kill_after: int
) -> None:
    run_dir = tmp_path / "killed"
    process = start(small_spec(), run_dir)
    _wait_for_steps(run_dir, kill_after)
    process.kill()
    process.communicate()
    again = start(small_spec(), run_dir, "--attempt", "2")
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output
    assert final_weights(run_dir) == final_weights(undisturbed)
    assert read_events(run_dir)[-1].outcome == "succeeded"


def _wait_for_steps(run_dir: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(events_of(run_dir, "step")) < count:
        assert time.monotonic() < deadline, "the process took no step"
        time.sleep(0.01)


@pytest.mark.parametrize("way", ["signal", pytest.param("closed stdin", marks=pytest.mark.slow)])
def test_asked_to_stop_a_process_saves_and_leaves_quietly(way: str, start: Start, tmp_path: Path) -> None:
    process = start(small_spec(steps=500), tmp_path / "run", TRAPO_STOP_ON_STDIN_EOF="1")
    _wait_for_steps(tmp_path / "run", 1)
    assert process.stdin is not None
    if way == "signal":
        process.send_signal(signal.SIGTERM)
    else:
        process.stdin.close()
    assert process.wait(timeout=60) == 0
    ended = read_events(tmp_path / "run")[-1]
    assert (ended.type, ended.outcome) == ("ended", "stopped")
    assert (
        events_of(tmp_path / "run", "checkpoint")[-1].step == ended.step == events_of(tmp_path / "run", "step")[-1].step
    )


@pytest.mark.slow
def test_a_second_process_waits_for_the_first(start: Start, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    first = start(small_spec(steps=500), run_dir)
    _wait_for_steps(run_dir, 1)
    second = start(small_spec(steps=500), run_dir, "--attempt", "2")
    time.sleep(3)
    first.terminate()
    first.wait(timeout=60)
    _wait_for_steps(run_dir, len(events_of(run_dir, "step")) + 1)
    second.terminate()
    assert second.wait(timeout=60) == 0
    attempts = [event.attempt for event in read_events(run_dir) if event.type == "attempt_started"]
    steps = [event.step for event in events_of(run_dir, "step")]
    assert attempts == [1, 2]
    assert steps == list(range(1, len(steps) + 1))


def test_weights_that_explode_skip_three_steps_and_fail_with_the_last_good_checkpoint(
    start: Start, tmp_path: Path
) -> None:
    spec = small_spec(
        optimizer={"lr": 1e30, "grad_clip": 1e30, "warmup_share": 0.0}, steps=20, checkpoints={"every_steps": 1}
    )
    process = start(spec, tmp_path / "run")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    ended = read_events(tmp_path / "run")[-1]
    assert (ended.outcome, ended.reason) == ("failed", "nan_loss")
    skipped = events_of(tmp_path / "run", "step_skipped")
    assert [event.in_a_row for event in skipped] == [1, 2, 3]
    last = max(event.step for event in events_of(tmp_path / "run", "checkpoint"))
    assert last < skipped[0].step
    assert (tmp_path / "run" / "checkpoints" / f"step-{last:06d}" / "model.safetensors").is_file()


def test_a_step_tells_guidance_rollouts_and_curves_that_agree(undisturbed: Path) -> None:
    for guidance, written, step in zip(
        events_of(undisturbed, "guidance"),
        events_of(undisturbed, "rollouts"),
        events_of(undisturbed, "step"),
        strict=True,
    ):
        rows = pq.read_table(undisturbed / written.path).to_pylist()
        assert written.rows == len(rows) == sum(slot.guided + slot.unguided for slot in guidance.slots) == 32
        assert sum(guidance.prefix_lengths.counts) == 32
        guided = [row for row in rows if row["ratio"] > 0]
        assert sum(slot.guided for slot in guidance.slots) == len(guided)
        assert guidance.prefix_lengths.counts[0] == 32 - len(guided)
        assert step.metrics["guided/share"] == pytest.approx(len(guided) / 32)
        assert step.metrics["reward/all"] == pytest.approx(sum(row["reward"] for row in rows) / 32)
        assert step.metrics["expert/tokens"] == sum(row["prefix_tokens"] for row in rows)
        for row in rows:
            assert len(row["token_ids"]) == len(row["logps"]) == len(row["entropies"])
            assert max(row["logps"]) <= 0
            assert sum(row["lengths"]) == len(row["prefix"] + row["completion"])
            assert len(row["lengths"]) == len(row["token_ids"])
            assert row["detail"].startswith(("read", "no #")) == (row["outcome"] == "wrong")
        first = [row["reward"] for row in rows if row["slot"] == 0]
        assert step.metrics["reward/unguided"] == pytest.approx(sum(first) / len(first))
        assert step.metrics["sampler/logp_gap"] < 1e-5
        told = guidance.problems
        assert sorted(told.ids) == sorted(row["problem"] for row in rows[:: sum(told.samples)])
        for number, slot in enumerate(guidance.slots):
            assert sum(rewards[number] for rewards in told.rewards) == slot.guided_reward + slot.unguided_reward
            assert sum(ratios[number] > 0 for ratios in told.ratios) * told.samples[number] == slot.guided
        assert sum(guidance.prefix_lengths.rewards) == step.metrics["reward/all"] * 32
        tokens = sum(map(sum, guidance.expert_tokens.counts)) if guidance.expert_tokens else 0
        assert tokens == step.metrics["expert/tokens"]
        if tokens:
            share = sum(guidance.expert_tokens.inside) / tokens
            assert share == pytest.approx(step.metrics["expert/inside_trust_region"])
    texts = [event.problems.texts for event in events_of(undisturbed, "guidance")]
    assert len({name for told in texts for name in told}) == sum(map(len, texts)) > 0


def test_dying_between_a_deed_and_its_telling_tells_everything_once(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = {"name": "facts", "data": {"format": "small_world", "task": "facts"}, "temperature": 0, "max_tokens": 8}
    spec = small_spec(steps=4, evaluation={"every_steps": 2, "benchmarks": [benchmark]})
    for owner, moment in ((Saver, "_tell"), (checkpoint, "update_state")):
        run_dir = tmp_path / moment
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(owner, moment, _die)
            run(spec, run_dir, models_dir)
        run(spec, run_dir, models_dir)
        assert [event.step for event in events_of(run_dir, "checkpoint")] == [2, 4]
        assert [event.step for event in events_of(run_dir, "score")] == [2, 4]


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_evaluations_come_at_the_start_in_between_and_at_the_end(models_dir: Path, tmp_path: Path) -> None:
    evaluation = {
        "at_start": True,
        "every_steps": 4,
        "benchmarks": [
            {"name": "chains", "data": {"format": "small_world", "problems": 6}, "samples": 2, "max_tokens": 20},
            {"name": "facts", "data": {"format": "small_world", "task": "facts", "problems": 10}, "temperature": 0,
             "max_tokens": 8},
        ],
    }  # fmt: skip
    run(small_spec(evaluation=evaluation), tmp_path / "whole", models_dir)
    scores = [(event.step, event.benchmark, event.metric) for event in events_of(tmp_path / "whole", "score")]
    assert scores == [(step, *score) for step in (0, 4, 6) for score in (("chains", "avg@2"), ("facts", "avg@1"))]
    with pytest.raises(StopRequested):
        run(small_spec(evaluation=evaluation), tmp_path / "stopped", models_dir, stop_after=4)
    run(small_spec(evaluation=evaluation), tmp_path / "stopped", models_dir)
    again = [(event.step, event.benchmark, event.metric) for event in events_of(tmp_path / "stopped", "score")]
    assert again == scores
    assert final_weights(tmp_path / "stopped") == final_weights(tmp_path / "whole")


def test_each_benchmark_keeps_its_own_schedule_through_a_stop_and_a_death(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"data": {"format": "small_world", "task": "facts", "problems": 4}, "temperature": 0, "max_tokens": 8}
    benchmarks = [{"name": "quick", "every_steps": 2, **facts}, {"name": "rare", **facts}]
    spec = small_spec(evaluation={"every_steps": 4, "benchmarks": benchmarks})
    with pytest.raises(StopRequested):
        run(spec, tmp_path, models_dir, stop_after=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(import_module("trapo_core.train"), "run_benchmark", _die_at_the_second_of_step_4())
        run(spec, tmp_path, models_dir)
    run(spec, tmp_path, models_dir)
    scores = [(event.step, event.benchmark) for event in events_of(tmp_path, "score")]
    assert scores == [(2, "quick"), (4, "quick"), (4, "rare"), (6, "quick"), (6, "rare")]
    assert not (tmp_path / "evaluations" / "step-000002" / "rare.parquet").exists()


def _die_at_the_second_of_step_4() -> Callable[..., object]:
    def evaluated(benchmark: LoadedBenchmark, judge: Judge, *, step: int, out_dir: Path) -> object:
        if (step, benchmark.settings.name) == (4, "rare"):
            raise KeyboardInterrupt
        return run_benchmark(benchmark, judge, step=step, out_dir=out_dir)

    return evaluated


def test_problems_come_in_epochs_each_in_its_own_order() -> None:
    problems = list(range(10))
    stream = problems_of_step(problems, seed=1, first=0, count=30)  # type: ignore[arg-type]
    epochs = [stream[i : i + 10] for i in (0, 10, 20)]
    assert all(sorted(epoch) == problems for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert problems_of_step(problems, seed=1, first=7, count=9) == stream[7:16]  # type: ignore[arg-type]


def test_problems_without_a_trace_are_refused_before_anything_starts(models_dir: Path, tmp_path: Path) -> None:
    write_json_lines(tmp_path / "plain.jsonl", [{"prompt": "1+1?", "answer": "2"}])
    spec = small_spec(
        model={"source": "tiny"}, data={"format": "jsonl", "path": str(tmp_path / "plain.jsonl")}, prompts_per_step=1
    )
    with pytest.raises(DataError, match=r"1 problems have no expert trace.*a method without guidance such as grpo"):
        run(spec, tmp_path / "run", models_dir)
    assert list((tmp_path / "run").iterdir()) == [tmp_path / "run" / "events.jsonl"]


def test_a_run_whose_answers_cannot_be_checked_ends(models_dir: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"{i}+1?", "answer": "$ $", "trace": f"It is {i + 1}."} for i in range(2)]
    write_json_lines(tmp_path / "odd.jsonl", rows)
    data = {"format": "jsonl", "path": str(tmp_path / "odd.jsonl")}
    spec = small_spec(model={"source": "tiny"}, data=data, prompts_per_step=2, steps=2)
    with pytest.raises(RewardError, match="16 of 16 answers of a step could not be checked"):
        run(spec, tmp_path / "run", models_dir)


def test_more_prompts_than_problems_are_refused(models_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="/prompts_per_step: 25 is more than the 24 problems"):
        run(small_spec(prompts_per_step=25), tmp_path, models_dir)


def test_more_gpus_than_there_are_are_refused(models_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"/resources/gpus: 64 is more than the \d+ of this host. 0 trains on the CPU"):
        run(small_spec(resources={"gpus": 64}), tmp_path, models_dir)


def test_a_response_that_cannot_fit_the_context_is_refused(models_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exceeds the model's context of 160"):
        run(small_spec(sampling={"max_tokens": 159}), tmp_path, models_dir)
