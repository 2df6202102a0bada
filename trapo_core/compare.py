"""Two runs on the same problems: how much better one scores than the other, from their per-item files.

A file of items says under which setting its answers were drawn and checked. Only like is compared with like: the same
problems, as many samples, one template, one sampler, one kind of answer. Importable without torch.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from pyarrow import ArrowException

from trapo_core.data import load_problems
from trapo_core.errors import DataError
from trapo_core.events import BenchmarkScore, read_events
from trapo_core.sources import DataSource, SmallWorldData, Template, template_for
from trapo_core.spec_parts import Benchmark
from trapo_core.stats import Statistic, mean, paired_delta, pass_at_k

if TYPE_CHECKING:  # answers.py loads sympy
    from trapo_core.answers import Verifier

CONFIDENCE = 0.95
METADATA_KEY = b"trapo"
CHECKER = "1"  # raise it when answers.py judges any answer otherwise


@dataclass(frozen=True)
class Delta:
    """How much better a run is than another: mean over problems of the difference, and its interval, in [-1, 1]."""

    benchmark: str
    metric: str
    delta: float
    low: float
    high: float
    confidence: float
    problems: int
    samples: int


@dataclass(frozen=True)
class Items:
    """One benchmark's answers in one run. `problems` are (id, prompt, answer), in the order of `scores_by_problem`."""

    path: Path
    setting: dict[str, Any]
    pass_at: tuple[int, ...]
    problems: list[tuple[str, str, str]]
    scores_by_problem: list[list[float]]


# --------------------------------------------------------------------------------------------------- the setting


def verifier_for(data: DataSource) -> "Verifier":
    """The rule that checks answers to these problems, whatever the method."""
    return "small_world" if isinstance(data, SmallWorldData) else data.answers


def setting_of(benchmark: Benchmark, template: Template) -> dict[str, Any]:
    """What has to be the same in two runs for their scores to be comparable, beside the problems."""
    return {
        "samples": benchmark.samples,
        "temperature": benchmark.temperature,
        "max_tokens": benchmark.max_tokens,
        "template": template_for(benchmark.data, template),
        "answers": (verifier := verifier_for(benchmark.data)),
        "checker": checker_version(verifier),
    }


def checker_version(verifier: "Verifier") -> str:
    """The rules of `answers.py`, and for mathematics the library that they stand on."""
    return f"{CHECKER} on math-verify {version('math-verify')}" if verifier == "math" else CHECKER


def problems_digest(problems: Iterable[tuple[str, str, str]]) -> str:
    """Of (id, prompt, answer) in order: equal only where two runs answered the same problems."""
    return hashlib.sha256(json.dumps(list(problems)).encode()).hexdigest()[:16]


def metadata_of(benchmark: Benchmark, template: Template) -> dict[bytes, bytes]:
    """The setting as a Parquet file of items keeps it."""
    kept = {"setting": setting_of(benchmark, template), "pass_at": benchmark.pass_at}
    return {METADATA_KEY: json.dumps(kept).encode()}


# ----------------------------------------------------------------------------------------------------- the files


def items_of(run_dir: Path, benchmark: str) -> Items:
    """The items of the last finished evaluation of `benchmark` in a training or evaluation run.

    One that was cut short has files but told no score. Raises DataError if there is none, or it cannot be read.
    """
    told = [event for event in read_events(run_dir) if isinstance(event, BenchmarkScore)]
    steps = [event.step for event in told if event.benchmark == benchmark]
    if not steps:
        has = ", ".join(sorted({event.benchmark for event in told})) or "no benchmark"
        raise DataError(f"{run_dir} has no score of {benchmark}.", f"It is a run's folder with scores of: {has}.")
    name = f"{benchmark}.parquet"
    in_training = run_dir / "evaluations" / f"step-{max(steps):06d}" / name
    return read_items(in_training if in_training.exists() else run_dir / "evaluations" / name)


def read_items(path: Path) -> Items:
    """Raises DataError if the file is missing or damaged, or does not tell its setting."""
    try:
        table = pq.read_table(path)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}", "Evaluate again.") from error
    kept = (table.schema.metadata or {}).get(METADATA_KEY)
    if kept is None:
        raise DataError(f"{path} does not tell under which setting it was drawn.", "Evaluate again.")
    metadata = json.loads(kept)
    problems, scores = [], []
    for problem, rows in groupby(table.to_pylist(), key=lambda row: (row["problem"], row["prompt"], row["answer"])):
        problems.append(problem)
        scores.append([float(row["score"]) for row in rows])
    return Items(path, metadata["setting"], tuple(metadata["pass_at"]), problems, scores)


# ------------------------------------------------------------------------------------------- like only with like


def check_setting(items: Items, wanted: dict[str, Any]) -> None:
    """Raises DataError that names what differs from the setting of these items."""
    differs = [name for name, value in wanted.items() if items.setting.get(name) != value]
    if differs:
        what = "; ".join(f"{name} {items.setting.get(name)!r}, not {wanted[name]!r}" for name in differs)
        raise DataError(f"{items.path} was drawn under another setting: {what}.", "Evaluate both under one setting.")


def check_problems(items: Items, wanted: Sequence[tuple[str, str, str]]) -> None:
    """Raises DataError that says from where on these items answer other problems."""
    if items.problems == list(wanted):
        return
    pairs = enumerate(zip(items.problems, wanted, strict=False))
    first = next((i for i, (theirs, ours) in pairs if theirs != ours), min(len(items.problems), len(wanted)))
    raise DataError(
        f"{items.path} answers other problems: {len(items.problems)}, not {len(wanted)}, and others from number "
        f"{first + 1} on.",
        "Evaluate both on the same file with the same limit.",
    )


def check_comparable(against: Path, benchmark: Benchmark, template: Template, data_dir: Path) -> None:
    """Before hours are spent: `against` has scores of this benchmark, under this setting and on its problems.

    Raises DataError.
    """
    items = items_of(against, benchmark.name)
    check_setting(items, setting_of(benchmark, template))
    problems = load_problems(benchmark.data, data_dir)
    check_problems(items, [(problem.id, problem.prompt, problem.answer) for problem in problems])


# ------------------------------------------------------------------------------------------------------ the deltas


def compare_runs(run_dir: Path, against: Path, benchmarks: Iterable[str]) -> list[Delta]:
    """How much better the run is than `against` on each benchmark. Raises DataError where the two do not compare."""
    return [delta for name in benchmarks for delta in compare(name, items_of(run_dir, name), items_of(against, name))]


def compare(benchmark: str, ours: Items, theirs: Items) -> Iterator[Delta]:
    """avg@samples, and pass@k for each k that both were asked for; problems are resampled whole and in pairs.

    Raises DataError if problems or settings differ.
    """
    check_setting(theirs, ours.setting)
    check_problems(theirs, ours.problems)
    samples = int(ours.setting["samples"])
    yield _delta(benchmark, f"avg@{samples}", ours, theirs, mean)
    for k in [k for k in ours.pass_at if k in theirs.pass_at]:
        yield _delta(benchmark, f"pass@{k}", ours, theirs, partial(_passed, k=k))


def _delta(benchmark: str, metric: str, ours: Items, theirs: Items, statistic: Statistic) -> Delta:
    delta, low, high = paired_delta(
        ours.scores_by_problem, theirs.scores_by_problem, confidence=CONFIDENCE, statistic=statistic
    )
    samples = int(ours.setting["samples"])
    return Delta(benchmark, metric, delta, low, high, CONFIDENCE, len(ours.problems), samples)


def _passed(scores: Sequence[float], k: int) -> float:
    return pass_at_k(len(scores), sum(score == 1 for score in scores), k)
