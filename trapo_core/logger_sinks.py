"""How each logger is spoken to: what a run is known as there, its spec as configuration, its numbers by step.

Every function that opens one imports its package, in the thread that will use it. A resumed run goes on in the same
place, by an identity kept in RUN_DIR/loggers. Of the steps that it repeats since its last checkpoint TensorBoard drops
the old ones, Weights & Biases the new ones; MLflow and Trackio keep both.
"""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from trapo_core.spec import EvalSpec, TrainSpec
from trapo_core.spec_parts import LoggerName
from trapo_core.tensorboard_file import TensorBoardFile

PROJECT = "trapo"
MLFLOW_BATCH = 100  # parameters a request may hold
MLFLOW_STATUS = {"succeeded": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}

Outcome = Literal["succeeded", "stopped", "failed"]


@dataclass(frozen=True)
class Told:
    """What a logger begins with. `resumed_from_step` is -1 for a run from its start."""

    spec: TrainSpec | EvalSpec
    run_dir: Path
    resumed_from_step: int

    @property
    def title(self) -> str:
        return self.spec.name or self.run_dir.name

    @property
    def config(self) -> dict[str, Any]:
        return self.spec.model_dump(mode="json")

    def identity(self, logger: LoggerName, make: Callable[[], str]) -> str:
        """As what this run is known there: made and kept by its first attempt."""
        file = self.run_dir / "loggers" / logger
        if not file.exists():
            name = make()  # before the folder: a failure leaves nothing
            file.parent.mkdir(exist_ok=True)
            file.write_text(name)
        return file.read_text()


class Sink(Protocol):
    """One logger, open; used by one thread."""

    def log(self, step: int, values: Mapping[str, float], at: datetime) -> None: ...

    def close(self, outcome: Outcome) -> None: ...


def flat(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested mappings and lists, as ("guidance/slots/0/n", "4")."""
    if isinstance(config, dict | list) and config:
        for name, value in config.items() if isinstance(config, dict) else enumerate(config):
            yield from flat(value, f"{prefix}/{name}" if prefix else str(name))
    else:
        yield prefix, str(config)


def short_id() -> str:
    return uuid.uuid4().hex[:8]


# ------------------------------------------------------------------------------------------------------- TensorBoard


class TensorBoard:
    """Event files in RUN_DIR/tensorboard."""

    def __init__(self, told: Told) -> None:
        now = datetime.now(UTC).timestamp()
        self._file = TensorBoardFile(told.run_dir / "tensorboard", told.resumed_from_step + 1, now)
        self._file.text("spec", told.config, now)

    def log(self, step: int, values: Mapping[str, float], at: datetime) -> None:
        self._file.scalars(step, values, at.timestamp())
        self._file.flush()

    def close(self, outcome: Outcome) -> None:  # noqa: ARG002 - event files have no place for it
        self._file.close()


# -------------------------------------------------------------------------------------------------- Weights & Biases


class WeightsAndBiases:
    """A run of the project that WANDB_PROJECT names, with files in RUN_DIR/wandb."""

    def __init__(self, told: Told) -> None:
        wandb = import_module("wandb")
        self._run = wandb.init(
            project=None if os.environ.get("WANDB_PROJECT") else PROJECT,
            id=told.identity("wandb", short_id),
            name=told.title,
            tags=list(told.spec.tags),
            config=told.config,
            dir=str(told.run_dir),
            resume="allow",
            allow_val_change=True,  # name, tags and such may change between attempts
            reinit="create_new",  # a notebook may have a run of its own open
            settings=wandb.Settings(console="off"),  # our output is the run's own log
        )

    def log(self, step: int, values: Mapping[str, float], at: datetime) -> None:  # noqa: ARG002 - it has its own clock
        self._run.log(dict(values), step=step)

    def close(self, outcome: Outcome) -> None:
        self._run.finish(exit_code=int(outcome == "failed"))


# ------------------------------------------------------------------------------------------------------------ MLflow


class MLflow:
    """A run at MLFLOW_TRACKING_URI, in the experiment that MLFLOW_EXPERIMENT_NAME or _ID gives."""

    def __init__(self, told: Told) -> None:
        self._mlflow = import_module("mlflow")
        self._client = self._mlflow.MlflowClient()
        self._run_id = told.identity("mlflow", lambda: self._new_run(told))
        self._client.update_run(self._run_id, status="RUNNING")

    def log(self, step: int, values: Mapping[str, float], at: datetime) -> None:
        metric, ms = self._mlflow.entities.Metric, int(at.timestamp() * 1000)
        # It allows no @ in a key, such as avg@8's.
        metrics = [metric(key.replace("@", "_at_"), value, ms, step) for key, value in values.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def close(self, outcome: Outcome) -> None:
        self._client.set_terminated(self._run_id, MLFLOW_STATUS[outcome])

    def _new_run(self, told: Told) -> str:
        run = self._client.create_run(self._experiment_id(), run_name=told.title)
        params = [self._mlflow.entities.Param(key, value) for key, value in flat(told.config)]
        for begin in range(0, len(params), MLFLOW_BATCH):
            self._client.log_batch(run.info.run_id, params=params[begin : begin + MLFLOW_BATCH])
        return str(run.info.run_id)

    def _experiment_id(self) -> str:
        if given := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return given
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        if not (found := self._client.get_experiment_by_name(name)):
            try:
                return str(self._client.create_experiment(name))
            except self._mlflow.exceptions.MlflowException:
                # Another run may have been first; if it was not that, the second look finds nothing either.
                if not (found := self._client.get_experiment_by_name(name)):
                    raise
        return str(found.experiment_id)


# ----------------------------------------------------------------------------------------------------------- Trackio


class Trackio:
    """A run of the project `trapo`, in TRACKIO_DIR or where TRACKIO_SERVER_URL or TRACKIO_SPACE_ID says."""

    def __init__(self, told: Told) -> None:
        # Its names are its identities, so ours carries an id.
        name = told.identity("trackio", lambda: f"{told.title} {short_id()}")
        self._run = import_module("trackio").init(
            project=PROJECT, name=name, config=told.config, resume="allow",
            embed=False, auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip

    def log(self, step: int, values: Mapping[str, float], at: datetime) -> None:  # noqa: ARG002 - it has its own clock
        self._run.log(dict(values), step=step)

    def close(self, outcome: Outcome) -> None:  # noqa: ARG002 - its runs have no state
        self._run.finish()


# The package that each needs, and how it is opened.
SINKS: dict[LoggerName, tuple[str, Callable[[Told], Sink]]] = {
    "tensorboard": ("tensorboard", TensorBoard),
    "wandb": ("wandb", WeightsAndBiases),
    "mlflow": ("mlflow", MLflow),
    "trackio": ("trackio", Trackio),
}
