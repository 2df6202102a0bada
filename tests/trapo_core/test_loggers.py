"""Loggers: what each one's own reader finds afterwards; and that none can stop a run."""

import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from trapo_core import checkpoint
from trapo_core.errors import SpecError
from trapo_core.events import BenchmarkScore, Event, EventWriter, StepDone, read_events
from trapo_core.logger_sinks import SINKS, Outcome, Told, flat
from trapo_core.loggers import Loggers
from trapo_core.process import Attempt, StopRequested
from trapo_core.spec import TrainSpec, parse_spec

from .conftest import events_of, small_spec


def step(number: int, reward: float = 0.5) -> StepDone:
    return StepDone(step=number, seconds=2.0, metrics={"reward/unguided": reward})


def score(number: int) -> BenchmarkScore:
    return BenchmarkScore(
        step=number, benchmark="chains", metric="avg@8", score=0.5, low=0.4, high=0.6, confidence=0.95,
        interval="cluster_bootstrap", problems=4, samples=8,
    )  # fmt: skip


def attempt_of(run_dir: Path, spec: TrainSpec, resumed_from_step: int, *events: Event, **settings: Any) -> None:
    """One attempt that tells `events`."""
    run_dir.mkdir(exist_ok=True)
    writer = EventWriter(run_dir)
    attempt = Attempt(writer)
    with Loggers(spec, run_dir, attempt, **settings):
        attempt.started(resumed_from_step=resumed_from_step, total_steps=4)
        attempt.report(*events)
    writer.close()


def logged_twice(run_dir: Path, logger: str) -> None:
    """Steps 1 to 3, killed, resumed from 2: step 3 is told twice, with another value."""
    spec = small_spec(name="chains", loggers=[logger])
    attempt_of(run_dir, spec, -1, score(0), step(1, 0.1), step(2, 0.2), step(3, 0.3))
    attempt_of(run_dir, spec, 2, step(3, 0.33), step(4, 0.4), score(4))
    assert warnings_of(run_dir) == []


def warnings_of(run_dir: Path) -> list[str]:
    return [event.text for event in events_of(run_dir, "message")]


# --------------------------------------------------------------------------------------------------- the real loggers


def test_tensorboard_reads_curves_and_spec_with_repeated_steps_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    logged_twice(tmp_path / "run", "tensorboard")
    reader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    rewards = [(event.step, event.value) for event in found.Scalars("reward/unguided")]
    assert rewards == [(number, pytest.approx(value)) for number, value in ((1, 0.1), (2, 0.2), (3, 0.33), (4, 0.4))]
    assert [event.step for event in found.Scalars("score/chains/avg@8/low")] == [0, 4]
    [spec] = found.Tensors("spec/text_summary")[-1].tensor_proto.string_val
    assert '"method": "trapo"' in spec.decode()


def test_mlflow_keeps_one_run_with_parameters_and_both_values_of_a_repeated_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tests")
    logged_twice(tmp_path / "run", "mlflow")
    client = importlib.import_module("mlflow").MlflowClient()
    [run] = client.search_runs([client.get_experiment_by_name("tests").experiment_id])
    assert (run.info.run_name, run.info.status) == ("chains", "FINISHED")
    assert run.data.params["guidance/slots/0/n"] == "4"
    history = client.get_metric_history(run.info.run_id, "reward/unguided")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.1), (2, 0.2), (3, 0.3), (3, 0.33), (4, 0.4)]
    assert run.data.metrics["score/chains/avg_at_8"] == 0.5


def leveldb_log(content: bytes, first: int = 7, block: int = 32768) -> bytes:
    """The records of wandb's file, end to end. Its blocks cut records, keys too, and put headers of 7 bytes between."""
    records, place = b"", first
    while place + 7 <= len(content):
        length = int.from_bytes(content[place + 4 : place + 6], "little")
        records += content[place + 7 : place + 7 + length]
        place += 7 + length
        if (left := block - place % block) < 7:
            place += left
    return records


def test_wandb_offline_writes_a_run_under_the_kept_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    attempt_of(tmp_path, small_spec(name="chains", loggers=["wandb"]), -1, step(1), score(1))
    assert warnings_of(tmp_path) == []
    [file] = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert file.name == f"run-{(tmp_path / 'loggers' / 'wandb').read_text()}.wandb"
    content = leveldb_log(file.read_bytes())
    assert all(key in content for key in (b"reward/unguided", b"score/chains/avg@8", b"prompts_per_step"))


def test_an_identity_is_made_by_the_first_attempt_and_kept(tmp_path: Path) -> None:
    told = Told(small_spec(), tmp_path, -1)
    assert [told.identity("wandb", lambda: "first"), told.identity("wandb", lambda: "second")] == ["first", "first"]
    with pytest.raises(ZeroDivisionError):
        told.identity("mlflow", lambda: str(1 / 0))
    assert told.identity("mlflow", lambda: "made at last") == "made at last"


@pytest.mark.slow
def test_trackio_keeps_one_run_for_both_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio")
    # It reads its folder when it is imported.
    script = (
        "import sys, json, pathlib; from tests.trapo_core.test_loggers import logged_twice; import trackio\n"
        "logged_twice(pathlib.Path(sys.argv[1]), 'trackio')\n"
        "[run] = trackio.Api().runs('trapo')\n"
        "from trackio.sqlite_storage import SQLiteStorage\n"
        "logs = SQLiteStorage.get_logs('trapo', run.name)\n"
        "print(json.dumps([run.name, [row.get('reward/unguided') for row in logs], run.config['method']]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        env={"TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name, rewards, method = json.loads(done.stdout.splitlines()[-1])
    assert name == (tmp_path / "run" / "loggers" / "trackio").read_text()
    assert [reward for reward in rewards if reward is not None] == [0.1, 0.2, 0.3, 0.33, 0.4]
    assert method == "trapo"


# ------------------------------------------------------------------------------------------ what cannot stop a run


class Remembering:
    """A sink that keeps what it is given, and misbehaves as asked."""

    def __init__(self, told: Told, misbehave: Callable[[int], None] = lambda _: None) -> None:
        self.told, self.misbehave = told, misbehave
        self.steps: list[int] = []
        self.outcome = ""

    def log(self, step: int, values: Mapping[str, float], at: datetime) -> None:  # noqa: ARG002
        self.misbehave(step)
        self.steps.append(step)

    def close(self, outcome: Outcome) -> None:
        self.outcome = outcome


def with_sink(misbehave: Callable[[int], None]) -> tuple[dict[str, Any], list[Remembering]]:
    """`wandb` stands for a logger that misbehaves, `mlflow` for one beside it."""
    opened: list[Remembering] = []

    def opener(how: Callable[[int], None]) -> Callable[[Told], Remembering]:
        return lambda told: opened.append(Remembering(told, how)) or opened[-1]  # type: ignore[func-returns-value]

    return {"wandb": ("wandb", opener(misbehave)), "mlflow": ("mlflow", opener(lambda _: None))}, opened


BOTH = {"loggers": ["wandb", "mlflow"]}


def test_a_failing_logger_is_told_once_and_the_other_hears_everything(tmp_path: Path) -> None:
    def fail(step: int) -> None:
        raise ConnectionError("nobody there")

    sinks, opened = with_sink(fail)
    attempt_of(tmp_path, small_spec(**BOTH), -1, *map(step, range(1, 50)), sinks=sinks)
    [text] = warnings_of(tmp_path)
    assert "wandb failed" in text
    assert "ConnectionError: nobody there" in text
    other = next(sink for sink in opened if sink.outcome)
    assert other.steps == list(range(1, 50))
    assert [event.step for event in events_of(tmp_path, "step")] == list(range(1, 50))


def test_a_logger_that_cannot_be_opened_is_told_too(tmp_path: Path) -> None:
    def refuse(told: Told) -> Remembering:
        raise RuntimeError("no key")

    attempt_of(tmp_path, small_spec(loggers=["wandb"]), -1, step(1), sinks={"wandb": ("wandb", refuse)})
    assert "RuntimeError: no key" in warnings_of(tmp_path)[0]


def test_a_hanging_logger_is_left_behind_and_told(tmp_path: Path) -> None:
    let_go = threading.Event()
    sinks, opened = with_sink(lambda _: let_go.wait(30) and None)
    attempt_of(tmp_path, small_spec(**BOTH), -1, step(1), step(2), sinks=sinks, close_limit_s=0.2)
    [text] = warnings_of(tmp_path)
    assert "wandb was not done after 0.2 s" in text
    assert [sink.outcome for sink in opened if sink.steps] == ["succeeded"]
    let_go.set()


@pytest.mark.slow
def test_the_process_of_a_run_ends_although_a_logger_hangs_for_ever(models_dir: Path, tmp_path: Path) -> None:
    package = tmp_path / "packages"
    package.mkdir()
    # As bad as it gets: it never returns, and has left a thread that the interpreter would wait for.
    (package / "wandb.py").write_text(
        "import threading\nnever = threading.Event()\nthreading.Thread(target=never.wait).start()\nnever.wait()\n"
    )
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "spec.json").write_text(small_spec(steps=1, loggers=["wandb"]).model_dump_json())
    script = (
        "import sys; from functools import partial; from trapo_core import perform, __main__ as process\n"
        "perform.Loggers = partial(perform.Loggers, close_limit_s=0.2)\n"
        "process._leave(process.main(sys.argv[1:]))"
    )
    environment = {"PYTHONPATH": f"{package}:{Path(__file__).parents[2]}", "TRAPO_MODELS_DIR": str(models_dir)}
    done = subprocess.run([sys.executable, "-c", script, str(run_dir)], env=environment, timeout=100, check=False)
    assert done.returncode == 0
    assert read_events(run_dir)[-1].outcome == "succeeded"
    assert "wandb was not done" in warnings_of(run_dir)[0]


@pytest.mark.parametrize(("error", "outcome"), [(StopRequested, "stopped"), (KeyError, "failed")])
def test_a_logger_learns_how_the_attempt_ended(tmp_path: Path, error: type[Exception], outcome: str) -> None:
    sinks, opened = with_sink(lambda _: None)
    writer = EventWriter(tmp_path)
    attempt = Attempt(writer)
    with pytest.raises(error), Loggers(small_spec(loggers=["mlflow"]), tmp_path, attempt, sinks):
        attempt.started(resumed_from_step=-1, total_steps=1)
        raise error("over")
    writer.close()
    assert [sink.outcome for sink in opened] == [outcome]


def test_what_ends_before_it_began_opens_no_logger(tmp_path: Path) -> None:
    sinks, opened = with_sink(lambda _: None)
    writer = EventWriter(tmp_path)
    with pytest.raises(KeyError), Loggers(small_spec(**BOTH), tmp_path, Attempt(writer), sinks):
        raise KeyError("data")
    writer.close()
    assert opened == []


# ---------------------------------------------------------------------------------------------------------- the spec


def test_a_missing_package_is_refused_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trapo_core.perform import perform  # noqa: PLC0415 - loads torch, which no other test here needs

    monkeypatch.setitem(SINKS, "wandb", ("no_such_package", SINKS["wandb"][1]))
    (tmp_path / "spec.json").write_text(small_spec(loggers=["tensorboard", "wandb"]).model_dump_json())
    writer = EventWriter(tmp_path)
    with pytest.raises(SpecError, match=r"/loggers/1: .* pip install 'trapo\[wandb\]'"):
        perform(tmp_path, Attempt(writer))
    writer.close()
    [ended] = read_events(tmp_path)
    assert (ended.type, ended.reason) == ("ended", "spec_invalid")


def test_loggers_are_known_names_each_once_and_none_by_default() -> None:
    body = small_spec().model_dump(mode="json")
    assert body["loggers"] == []
    with pytest.raises(SpecError, match="Did you mean 'wandb'"):
        parse_spec(body | {"loggers": ["wandbb"]})
    with pytest.raises(SpecError, match=r"/loggers/1: .*chosen already"):
        parse_spec(body | {"loggers": ["wandb", "wandb"]})


def test_loggers_change_nothing_that_is_computed() -> None:
    assert checkpoint.spec_digest(small_spec()) == checkpoint.spec_digest(small_spec(loggers=["wandb"]))


def test_nested_values_become_flat_parameters() -> None:
    assert dict(flat({"a": {"b": [1, {"c": None}]}, "d": []})) == {"a/b/0": "1", "a/b/1/c": "None", "d": "[]"}
