"""A folder becomes a run that is like the one it came from, through the real api."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from client import Client
from client.tensorboard_read import Keys, normal, read
from trapo_core.events import (
    AttemptStarted,
    BenchmarkScore,
    Ended,
    EventWriter,
    GuidanceDone,
    PrefixLengths,
    RolloutsWritten,
    SlotOutcome,
    StepDone,
)
from trapo_core.rollout_schema import SCHEMA

Trapo = Callable[..., Any]
SPEC = {
    "name": "first", "model": {"source": "small_world"}, "data": {"format": "small_world"},
    "sampling": {"max_tokens": 40}, "steps": 4, "prompts_per_step": 4,
}  # fmt: skip
ROLLOUT = {
    "step": 2, "problem": "p", "slot": 1, "sample": 0, "ratio": 0.5, "reward": 1.0, "outcome": "right",
    "advantage": math.nan, "finish": "stop", "prompt": "1+1", "answer": "2", "prefix": "one", "completion": "two",
    "prefix_tokens": 1, "token_ids": [3, 4], "logps": [-0.5, -1.5], "entropies": [None, 0.25],
}  # fmt: skip
NAMES = ["min", "max", "mean"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As `trapo run` leaves one that was killed and resumed: superseded steps, NaN, and half a line at the end."""
    run_dir = tmp_path / "20260101-first"
    (run_dir / "rollouts").mkdir(parents=True)
    (run_dir / "spec.json").write_text(json.dumps(SPEC))
    tell = EventWriter(run_dir)
    for attempt, first, values in ((1, 1, [0.25, 0.5, 99.0]), (2, 3, [math.nan, math.inf])):
        tell(AttemptStarted(attempt=attempt, resumed_from_step=first - 1, total_steps=4, pid=1))
        for step, value in enumerate(values, first):
            tell(StepDone(step=step, seconds=0.5, metrics={"reward/unguided": value}))
            slot = SlotOutcome(slot=1, ratio=0.25, guided=2, guided_reward=1.0, unguided=2, unguided_reward=0.5)
            lengths = PrefixLengths(bin_tokens=8, counts=[2, 1, 1])
            tell(GuidanceDone(step=step, slots=[slot], prefix_lengths=lengths))
    tell(RolloutsWritten(step=2, path="rollouts/step-000002.parquet", rows=1))
    interval = {"score": 0.5, "low": 0.4, "high": 0.6, "confidence": 0.95, "interval": "wilson"}
    tell(BenchmarkScore(step=4, benchmark="b", metric="avg@4", problems=9, samples=4, **interval))
    tell(Ended(outcome="succeeded", step=4))
    tell.close()
    with (run_dir / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "st')
    pq.write_table(pa.Table.from_pylist([ROLLOUT], SCHEMA), run_dir / "rollouts" / "step-000002.parquet")
    return run_dir


def test_a_folder_is_listed_and_shows_curves_guidance_scores_and_rollouts(
    trapo: Trapo, client: Client, folder: Path
) -> None:
    made = trapo("import", folder, "--json").json
    assert (made["kind"], made["name"], made["state"], made["step"]) == ("train", "first", "succeeded", 4)
    assert [run.id for run in client.runs()] == [made["id"]]
    [points] = client.points(made["id"], ["reward/unguided"])
    assert (points.steps, str(points.values)) == ([1, 2, 3, 4], "[0.25, 0.5, nan, inf]")
    assert [step.step for step in client.guidance(made["id"]).data] == [1, 2, 3, 4]
    assert [score.high for score in client.scores(made["id"])] == [0.6]
    detail = client.send("GET", f"/runs/{made['id']}/rollouts/2-0").json()
    assert (detail["completion"], detail["advantage"], detail["tokens"]["token_ids"]) == ("two", None, [3, 4])


def test_the_same_folder_is_the_same_run(trapo: Trapo, client: Client, folder: Path) -> None:
    first, again = (trapo("import", folder, "--json").json["id"] for _ in range(2))
    assert first == again
    assert trapo("import", folder, "--name", "another", "--json").json["id"] != first
    assert len(client.runs()) == 2


def test_what_was_exported_comes_back_the_same(trapo: Trapo, client: Client, folder: Path, tmp_path: Path) -> None:
    first = trapo("import", folder, "--json").json["id"]
    trapo("export", first, "--format", "csv", "--rollouts", "--out", tmp_path / "out")
    second = trapo("import", tmp_path / "out", "--name", "second", "--json").json["id"]
    assert first != second
    trapo("export", second, "--format", "csv", "--rollouts", "--out", tmp_path / "again")
    for name in ("points.csv", "scores.csv", "guidance.csv", "prefix_lengths.csv", "spec.json", "events.jsonl"):
        assert (tmp_path / "again" / name).read_text() == (tmp_path / "out" / name).read_text(), name
    rollouts = [pq.read_table(tmp_path / out / "rollouts" / "step-000002.parquet") for out in ("out", "again")]
    assert rollouts[0].equals(rollouts[1])


def test_a_folder_without_a_run_is_refused(trapo: Trapo, service: str, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert "no TensorBoard files" in trapo("import", tmp_path / "none").err
    assert trapo("import", tmp_path / "nowhere").status == 2


def test_a_wrong_line_is_named(trapo: Trapo, client: Client, folder: Path) -> None:
    (folder / "events.jsonl").write_text('{"type": "step", "step": 1}\n')
    said = trapo("import", folder)
    assert said.status == 2
    assert "/2/seconds" in said.err
    assert client.runs() == []


def test_rollouts_are_only_taken_for_imports_and_only_if_they_fit(
    client: Client, run: str, folder: Path, trapo: Trapo
) -> None:
    made = trapo("import", folder, "--no-rollouts", "--json").json["id"]
    row = {**ROLLOUT, "advantage": None}
    for run_id, step, line, status in (
        (run, 2, row, 409), (made, 3, row, 422), (made, 2, row | {"logps": [0.0]}, 422),
        (made, 2, row | {"logps": [1e30, 0]}, 422), (made, 2, row | {"reward": 1e300}, 422), (made, 2, {}, 422),
        (made, 2, row, 204),
    ):  # fmt: skip
        answer = client._http.put(f"/imports/{run_id}/rollouts/{step}", content=json.dumps(line) + "\n")
        assert answer.status_code == status, answer.text
    assert len(client.send("GET", f"/runs/{made}/rollouts").json()["data"]) == 1


# ------------------------------------------------------------------------------------------------------- TensorBoard


def write_tensorboard(folder: Path, *files: tuple[int | None, dict[int, dict[str, float]]]) -> None:
    """By tensorboard's own writer; each file may say from which step on it takes the place of those before."""
    writer = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    summary_pb2 = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    for number, (restart, steps) in enumerate(files):
        file = writer.EventFileWriter(str(folder), filename_suffix=f".{number}")
        if restart is not None:
            log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            file.add_event(event_pb2.Event(wall_time=1.7e9, step=restart, session_log=log))
        for step, values in steps.items():
            summary = summary_pb2.Summary(
                value=[summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
            )
            file.add_event(event_pb2.Event(wall_time=1.7e9 + 2 * step, step=step, summary=summary))
        file.close()


def test_tensorboard_files_of_any_trainer_become_a_run(trapo: Trapo, client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "their run"
    steps = {0: {"train/loss": 2.5}, 10: {"train/loss": math.nan, "lr (x)": 0.5}, 20: {"train/loss": math.inf}}
    write_tensorboard(folder, (None, steps))
    write_tensorboard(folder / "validation", (None, {10: {"loss": 0.25}}))
    made = trapo("import", folder, "--json").json
    assert (made["kind"], made["imported_from"], made["name"]) == ("import", "tensorboard", "their run")
    assert (made["state"], made["step"], made["method"]) == ("succeeded", 20, None)
    found = {one.key: (one.steps, str(one.values)) for one in client.points(made["id"])}
    assert found["train/loss"] == ([0, 10, 20], "[2.5, nan, inf]")
    assert found["lr_(x)"] == ([10], "[0.5]")
    assert found["validation/loss"] == ([10], "[0.25]")
    assert found["time/step_s"] == ([0, 10, 20], "[2.0, 2.0, 2.0]")
    assert [event.ts.timestamp() for event in client.events(made["id"]) if event.type == "step"] == [
        1.7e9, 1.7e9 + 20, 1.7e9 + 40,
    ]  # fmt: skip
    assert trapo("export", made["id"], "--format", "tensorboard", "--out", tmp_path / "out").status == 0
    back = {step.step: step.metrics for step in read(tmp_path / "out" / "tensorboard") if isinstance(step, StepDone)}
    assert (back[0]["train/loss"], back[10]["validation/loss"]) == (2.5, 0.25)


def test_a_restart_takes_back_what_came_after_it_as_in_tensorboard(tmp_path: Path) -> None:
    write_tensorboard(tmp_path, (0, {1: {"a": 1.0}, 2: {"a": 9.0}, 3: {"a": 9.0}}), (2, {2: {"a": 2.0}}))
    assert [(one.step, one.metrics["a"]) for one in read(tmp_path) if isinstance(one, StepDone)] == [(1, 1.0), (2, 2.0)]


def test_tags_become_keys_and_no_two_the_same() -> None:
    keys = Keys()
    assert [keys.of(tag) for tag in ("a b", "a_b", "a b", "//x//y/", "é")] == ["a_b", "a_b_2", "a_b", "x/y", "_"]
    assert normal("k" * 300) == "k" * 120
    assert normal("") == "unnamed"
