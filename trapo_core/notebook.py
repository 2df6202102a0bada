"""Train and evaluate from Python: `from trapo_core import train, evaluate` in a notebook or a program.

The same attempt at the same run folder as `python -m trapo_core`, in a thread of this process: it needs no signals, and
none of the event loop that a notebook has running. Ctrl-C, or a notebook's stop button, ends a run like any stop:
the step is finished and a checkpoint saved. See docs/python.md.
"""

import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from transformers.utils import logging as transformers_logging

from trapo_core.errors import FieldProblem, SpecError
from trapo_core.events import AttemptStarted, BenchmarkScore, CheckpointSaved, Ended, Event, StepDone, read_events
from trapo_core.perform import attempt_at, perform
from trapo_core.run_folder import default_folder, prepare
from trapo_core.sources import HUB_ID, Part
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec
from trapo_core.spec_file import read_documents
from trapo_core.spec_parts import Benchmark

Given = TrainSpec | EvalSpec | Mapping[str, Any] | str | Path
Model = Part | Mapping[str, Any] | str | Path
OnEvent = Callable[[Event], object]


@dataclass(frozen=True)
class Result:
    """What a run left. `metrics` holds one list for each series, NaN where a step has no such number, all as long as
    `metrics["step"]`: a data frame as it is. `scores` come in the order of their steps."""

    run_dir: Path
    outcome: Literal["succeeded", "stopped"]
    metrics: dict[str, list[float]]
    scores: list[BenchmarkScore]
    checkpoint: Path | None


def train(spec: Given, run_dir: Path | str | None = None, on_event: OnEvent | None = None) -> Result:
    """Run a training spec to its end; a folder that has checkpoints of it is resumed.

    `spec` is a TrainSpec, a mapping, or the path of a file with one spec. `run_dir` is runs-local/TIME-NAME unless
    given. `on_event` is called with every event, in the calling thread; what it raises ends the run with a checkpoint.
    Raises TrapoError for all that is known to go wrong, SpecError for a wrong spec before anything is written.
    """
    parsed = _parsed(spec)
    if not isinstance(parsed, TrainSpec):
        raise SpecError([FieldProblem("/kind", "this spec evaluates.", "Give it to evaluate().")])
    return _run(parsed, run_dir, on_event)


def evaluate(
    model: Model | EvalSpec,
    *benchmarks: Benchmark | Mapping[str, Any],
    run_dir: Path | str | None = None,
    on_event: OnEvent | None = None,
    **fields: Any,
) -> list[BenchmarkScore]:
    """Scores of a model on benchmarks, each with its interval.

    `model` is a folder (such as a `Result.checkpoint`), a Hub id, or a model source as in a spec; or a whole EvalSpec,
    alone. `fields` are others of EvalSpec, such as seed=1. `run_dir`, `on_event` and errors: see `train`. The answers
    lie in run_dir/evaluations.
    """
    if isinstance(model, EvalSpec) and not (benchmarks or fields):
        spec: TrainSpec | EvalSpec = model
    else:
        chosen = [_plain(benchmark) for benchmark in benchmarks]
        spec = parse_spec({"kind": "eval", "model": _source(model), "benchmarks": chosen, **fields})
    return _run(spec, run_dir, on_event).scores


def result_of(run_dir: Path) -> Result:
    """What the events of a run that ended say; steps and scores told twice, before and after a resume, count once."""
    steps: dict[int, dict[str, float]] = {}
    scores: dict[tuple[int, str, str], BenchmarkScore] = {}
    checkpoint, outcome = None, "stopped"
    for event in read_events(run_dir):
        if isinstance(event, AttemptStarted):
            steps = {step: values for step, values in steps.items() if step <= event.resumed_from_step}
            scores = {key: score for key, score in scores.items() if score.step <= event.resumed_from_step}
        elif isinstance(event, StepDone):
            steps[event.step] = {"time/step_s": event.seconds, **event.metrics}
        elif isinstance(event, BenchmarkScore):
            scores[event.step, event.benchmark, event.metric] = event
        elif isinstance(event, CheckpointSaved):
            checkpoint = run_dir / event.path
        elif isinstance(event, Ended):
            outcome = event.outcome
    keys = sorted({key for values in steps.values() for key in values})
    metrics = {key: [values.get(key, float("nan")) for values in steps.values()] for key in keys}
    return Result(
        run_dir=run_dir,
        outcome="succeeded" if outcome == "succeeded" else "stopped",
        metrics={"step": [*steps], **metrics},
        scores=[*scores.values()],
        checkpoint=checkpoint,
    )


# ------------------------------------------------------------------------------------------------------ what is meant


def _parsed(given: Given) -> TrainSpec | EvalSpec:
    if isinstance(given, TrainSpec | EvalSpec):
        return given
    if isinstance(given, Mapping):
        return parse_spec(dict(given))
    documents = read_documents(Path(given))
    if len(documents) > 1:
        raise SpecError([FieldProblem("", f"{given} holds {len(documents)} specs.", "Give one of them as a mapping.")])
    return parse_spec(documents[0])


def _source(model: Model) -> Any:
    if isinstance(model, Path) or (isinstance(model, str) and (Path(model).is_dir() or not re.match(HUB_ID, model))):
        return {"source": "folder", "path": str(Path(model).absolute())}
    return {"source": "hub", "id": model} if isinstance(model, str) else _plain(model)


def _plain(part: Part | Mapping[str, Any]) -> dict[str, Any]:
    return part.model_dump() if isinstance(part, Part) else dict(part)


# --------------------------------------------------------------------------------------------------- the run, beside us


def _run(spec: TrainSpec | EvalSpec, run_dir: Path | str | None, on_event: OnEvent | None) -> Result:
    folder = (Path(run_dir) if run_dir is not None else default_folder(spec.name, datetime.now())).absolute()
    prepare(folder, spec)
    number = 1 + sum(isinstance(event, AttemptStarted) for event in read_events(folder))
    thread = _RunThread(folder, number)
    thread.start()
    thread.attend(on_event)
    if thread.error:
        raise thread.error
    return result_of(folder)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """A bar for every checkpoint would fill the notebook."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


class _RunThread(threading.Thread):
    """One attempt. Not a daemon: a program that ends meanwhile waits for the checkpoint."""

    def __init__(self, run_dir: Path, number: int) -> None:
        super().__init__(name=f"trapo-{run_dir.name}")
        self.error: BaseException | None = None
        self._run_dir, self._number = run_dir, number
        self._stop_asked = threading.Event()
        self._events: SimpleQueue[Event | None] = SimpleQueue()

    def run(self) -> None:
        try:
            with _no_progress_bars(), attempt_at(self._run_dir, self._number, self._stop_asked) as attempt:
                attempt.also_tell(self._hand_over)
                perform(self._run_dir, attempt)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error
        finally:
            # Twice: a Ctrl-C that comes as one is taken loses it.
            self._events.put(None)
            self._events.put(None)

    def attend(self, on_event: OnEvent | None) -> None:
        """Wait for the end, handing events on. The first Ctrl-C asks for a stop; the second is raised, and leaves the
        thread to finish its step. What `on_event` raises is raised once the run has stopped."""
        failure: Exception | None = None
        while True:
            try:
                if (event := self._events.get()) is None:
                    break
                if on_event and not failure:
                    on_event(event)
            except KeyboardInterrupt:
                if self._stop_asked.is_set():
                    raise
                self._stop_asked.set()
                sys.stderr.write("Finishing this step and saving a checkpoint …\n")
            except Exception as error:  # noqa: BLE001 - raised below, with nothing lost
                failure = error
                self._stop_asked.set()
        self.join()
        if failure:
            raise failure

    def _hand_over(self, *events: Event) -> None:
        for event in events:
            self._events.put(event)
