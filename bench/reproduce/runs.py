"""Making the runs: a few processes side by side, each run in its folder; what is done is not done again."""

import hashlib
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from trapo_core.events import EventWriter, read_events
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.spec import EvalSpec, parse_spec

RESULT = "result.json"
LAST_STEPS = 10


@dataclass(frozen=True)
class Result:
    """What a run came to: final scores by "benchmark metric", means of curves over its last steps, and its time."""

    scores: dict[str, float]
    curves: dict[str, float]
    seconds: float


def do_all(specs: dict[str, dict[str, Any]], folder: Path, processes: int, tell: Callable[[str], None]) -> None:
    """Make every run that has no result of just this spec yet."""
    missing = [name for name, values in specs.items() if not is_done(values, folder / name)]
    if not missing:
        return
    places, began = Places.from_environment(), time.monotonic()
    # A fresh interpreter each: a fork of a process with threads in it is not safe.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(missing)), mp_context=context) as pool:
        waiting = [pool.submit(do_one, specs[name], folder / name, places) for name in missing]
        for done, future in enumerate(as_completed(waiting), start=1):
            future.result()
            left = (time.monotonic() - began) / done * (len(missing) - done)
            tell(f"{done}/{len(missing)} runs, about {left / 60:.0f} min left")


def is_done(values: dict[str, Any], run_dir: Path) -> bool:
    """Whether the folder's result is of this spec: names do not tell a short run or an older plan's from this one."""
    path = run_dir / RESULT
    return path.exists() and json.loads(path.read_text()).get("digest") == digest(values)


def digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def do_one(values: dict[str, Any], run_dir: Path, places: Places) -> None:
    """One run in this process. Imports torch here: the parent only plans and reports."""
    from trapo_core.perform import evaluate  # noqa: PLC0415
    from trapo_core.train import train  # noqa: PLC0415

    # From the start, not from a checkpoint: curves and scores come from the events of one whole run.
    if run_dir.exists():
        shutil.rmtree(run_dir)
    run_dir.mkdir(parents=True)
    spec = parse_spec(values)
    writer = EventWriter(run_dir)
    began = time.monotonic()
    (evaluate if isinstance(spec, EvalSpec) else train)(spec, run_dir, places, Attempt(writer))  # type: ignore[operator]
    writer.close()
    result = _result(run_dir, time.monotonic() - began)
    # Moved into place: a kill while writing must not leave half a result.
    temporary = run_dir / f"{RESULT}.part"
    temporary.write_text(json.dumps({"digest": digest(values), **vars(result)}, indent=1))
    temporary.replace(run_dir / RESULT)


def results(names: Sequence[str], folder: Path) -> dict[str, Result]:
    return {name: _read(folder / name / RESULT) for name in names}


def _read(path: Path) -> Result:
    stored = json.loads(path.read_text())
    return Result(stored["scores"], stored["curves"], stored["seconds"])


def _result(run_dir: Path, seconds: float) -> Result:
    events = list(read_events(run_dir))
    scores = {f"{event.benchmark} {event.metric}": event.score for event in events if event.type == "score"}
    steps = [event.metrics for event in events if event.type == "step"]
    curves = {}
    for which, part in (("first", steps[:LAST_STEPS]), ("last", steps[-LAST_STEPS:])):
        for key in ("reward/unguided", "guided/share", "policy/entropy", "completion/tokens_mean"):
            values = [metrics[key] for metrics in part if key in metrics]
            if values:
                curves[f"{which} {key}"] = fmean(values)
    return Result(scores, curves, seconds)
