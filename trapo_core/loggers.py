"""Where else a run is told: TensorBoard, Weights & Biases, MLflow, Trackio, as its spec chooses.

Each takes what the run tells anyway (`events.py`): step metrics, scores, and the spec as configuration. None can stop
or slow a run (`aside.py`); what becomes of it is told as warnings. Addresses and keys come from each one's own
environment variables, never from the spec.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from trapo_core.aside import Aside
from trapo_core.errors import FieldProblem, SpecError
from trapo_core.events import AttemptStarted, BenchmarkScore, Event, Message, StepDone
from trapo_core.logger_sinks import SINKS, Outcome, Sink, Told
from trapo_core.process import Attempt, StopRequested
from trapo_core.spec import EvalSpec, TrainSpec
from trapo_core.spec_parts import LoggerName

CLOSE_LIMIT_S = 10.0  # for all of them together

Sinks = Mapping[LoggerName, tuple[str, Callable[[Told], Sink]]]


def check_installed(spec: TrainSpec | EvalSpec) -> None:
    """Raises SpecError, with what to install, for a logger whose package is missing."""
    packages = {name: SINKS[name][0] for name in spec.loggers}
    missing = [
        FieldProblem(
            f"/loggers/{index}",
            f"the package {package} is not installed here.",
            f"pip install 'trapo[{name}]', or leave {name} out.",
        )
        for index, (name, package) in enumerate(packages.items())
        if find_spec(package) is None
    ]
    if missing:
        raise SpecError(missing)


def curves(event: Event) -> dict[str, float]:
    """The numbers of a step or a score, by the key of their curve; empty for every other event."""
    if isinstance(event, StepDone):
        return {**event.metrics, "time/step_s": event.seconds}
    if isinstance(event, BenchmarkScore):
        key = f"score/{event.benchmark}/{event.metric}"
        return {key: event.score, f"{key}/low": event.low, f"{key}/high": event.high}
    return {}


class Loggers:
    """The loggers of one attempt, as a context manager around its work; each is dropped when it fails."""

    def __init__(
        self,
        spec: TrainSpec | EvalSpec,
        run_dir: Path,
        attempt: Attempt,
        sinks: Sinks = SINKS,
        close_limit_s: float = CLOSE_LIMIT_S,
    ) -> None:
        self._spec, self._run_dir, self._attempt = spec, run_dir, attempt
        self._sinks, self._close_limit_s = sinks, close_limit_s
        self._outcome: Outcome = "failed"
        self._asides: list[Aside[Event]] = []

    def __enter__(self) -> Self:
        self._asides = [Aside(name, self._follower(self._sinks[name][1])) for name in self._spec.loggers]
        self._attempt.also_tell(self._tell)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._outcome = "succeeded"
        elif issubclass(kind, StopRequested):
            self._outcome = "stopped"
        for aside in self._asides:
            aside.end()
        deadline = time.monotonic() + self._close_limit_s
        hanging = [aside for aside in self._asides if not aside.done(deadline)]
        self._drop_failed()
        left, self._asides = self._asides, []
        for aside in left:
            if aside.missed:
                self._warn(f"{aside.name} was too slow: {aside.missed} steps or scores are missing there.")
            if aside in hanging:
                self._warn(f"{aside.name} was not done after {self._close_limit_s:g} s, and was left behind.")

    def _tell(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, AttemptStarted) or curves(event):
                for aside in self._asides:
                    aside.put(event)
        self._drop_failed()

    def _drop_failed(self) -> None:
        failed = [aside for aside in self._asides if aside.failure]
        # First out, then told: telling comes back here.
        self._asides = [aside for aside in self._asides if aside not in failed]
        for aside in failed:
            error = aside.failure
            self._warn(f"{aside.name} failed and gets nothing more: {type(error).__name__}: {error}")

    def _warn(self, text: str) -> None:
        self._attempt.report(Message(level="warning", text=f"The logger {text} events.jsonl has it all."))

    def _follower(self, open_sink: Callable[[Told], Sink]) -> Callable[[Iterator[Event]], None]:
        def follow(events: Iterator[Event]) -> None:
            sink: Sink | None = None
            for event in events:
                if isinstance(event, AttemptStarted):
                    sink = open_sink(Told(self._spec, self._run_dir, event.resumed_from_step))
                elif sink and isinstance(event, StepDone | BenchmarkScore):
                    sink.log(event.step, curves(event), event.ts)
            if sink:
                sink.close(self._outcome)

        return follow
