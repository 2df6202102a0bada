"""Comparing two runs: only like with like, in pairs, with an interval."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trapo_core.compare import check_comparable, compare_runs, items_of, metadata_of
from trapo_core.data import load_problems
from trapo_core.errors import DataError
from trapo_core.evaluate import score_benchmark
from trapo_core.events import EventWriter
from trapo_core.spec_parts import Benchmark
from trapo_core.stats import paired_delta, pass_at_k

SCORES = [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
WORSE = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]]


def benchmark(**changes: Any) -> Benchmark:
    values = {"name": "chains", "data": {"format": "small_world", "problems": 4}, "samples": 4, "pass_at": [2]}
    return Benchmark.model_validate({**values, **changes})


def evaluated(
    run_dir: Path, scores_by_problem: list[list[int]], *, settings: Benchmark | None = None, step: int | None = None,
    tell: bool = True,
) -> Path:  # fmt: skip
    """A run's folder as an evaluation leaves it; `step` of a training run, else an evaluation run."""
    settings = settings or benchmark()
    problems = load_problems(settings.data, run_dir)
    rows = [
        {"problem": problem.id, "sample": i, "prompt": problem.prompt, "answer": problem.answer, "score": float(score)}
        for problem, scores in zip(problems, scores_by_problem, strict=False)
        for i, score in enumerate(scores)
    ]
    folder = run_dir / "evaluations" / ("" if step is None else f"step-{step:06d}")
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows).replace_schema_metadata(metadata_of(settings, "qwen_math"))
    pq.write_table(table, folder / f"{settings.name}.parquet")
    if tell:
        writer = EventWriter(run_dir)
        writer(*score_benchmark(settings, [[float(s) for s in scores] for scores in scores_by_problem], step or 0))
        writer.close()
    return run_dir


def test_deltas_are_those_of_the_scores_in_pairs(tmp_path: Path) -> None:
    ours, theirs = evaluated(tmp_path / "a", SCORES), evaluated(tmp_path / "b", WORSE)
    average, passed = compare_runs(ours, theirs, ["chains"])
    assert (average.metric, average.problems, average.samples) == ("avg@4", 4, 4)
    assert (average.delta, average.low, average.high) == paired_delta(SCORES, WORSE)
    assert average.delta == pytest.approx((7 - 4) / 16)
    assert passed.metric == "pass@2"
    assert passed.delta == pytest.approx((0.5 - 0 + pass_at_k(4, 2, 2) - 0.5) / 4)
    [reverse, _] = compare_runs(theirs, ours, ["chains"])
    assert reverse.delta == -average.delta


def test_a_training_run_is_compared_by_its_last_finished_evaluation(tmp_path: Path) -> None:
    run = evaluated(tmp_path / "a", WORSE, step=2)
    evaluated(run, SCORES, step=4)
    evaluated(run, WORSE, step=6, tell=False)  # cut short
    assert items_of(run, "chains").path == run / "evaluations" / "step-000004" / "chains.parquet"
    assert items_of(run, "chains").scores_by_problem == SCORES


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature": 1.0}, "temperature 1.0, not 0.6"),
        ({"max_tokens": 20}, "max_tokens 20, not 8192"),
        ({"samples": 3, "temperature": 1.0}, "samples 3, not 4; temperature 1.0, not 0.6"),
    ],
)
def test_other_settings_are_refused_by_name(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    ours = evaluated(tmp_path / "a", SCORES)
    samples = changes.get("samples", 4)
    theirs = evaluated(tmp_path / "b", [s[:samples] for s in WORSE], settings=benchmark(**changes))
    with pytest.raises(DataError, match=said):
        compare_runs(ours, theirs, ["chains"])


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"format": "small_world", "problems": 4, "seed": 5}, "from number 1 on"),
        ({"format": "small_world", "problems": 3}, "3, not 4, and others from number 4 on"),
    ],
)
def test_other_problems_are_refused_with_the_first_that_differs(
    data: dict[str, Any], place: str, tmp_path: Path
) -> None:
    ours = evaluated(tmp_path / "a", SCORES)
    theirs = evaluated(tmp_path / "b", SCORES[: data["problems"]], settings=benchmark(data=data))
    with pytest.raises(DataError, match=place):
        compare_runs(ours, theirs, ["chains"])


def test_what_will_not_compare_is_refused_beforehand(tmp_path: Path) -> None:
    theirs = evaluated(tmp_path / "b", WORSE)
    check_comparable(theirs, benchmark(), "qwen_math", tmp_path)
    check_comparable(theirs, benchmark(), "chat", tmp_path)  # problems of the small world know no template
    with pytest.raises(DataError, match="max_tokens 8192, not 20"):
        check_comparable(theirs, benchmark(max_tokens=20), "qwen_math", tmp_path)
    with pytest.raises(DataError, match="others from number 1 on"):
        other = benchmark(data={"format": "small_world", "problems": 4, "seed": 5})
        check_comparable(theirs, other, "qwen_math", tmp_path)


def test_a_run_without_that_benchmark_says_what_it_has(tmp_path: Path) -> None:
    run = evaluated(tmp_path / "a", SCORES)
    with pytest.raises(DataError, match=r"has no score of aime24\. It is a run's folder with scores of: chains\."):
        items_of(run, "aime24")
    with pytest.raises(DataError, match="scores of: no benchmark"):
        items_of(tmp_path, "aime24")


def test_a_file_that_tells_no_setting_or_is_gone_is_refused(tmp_path: Path) -> None:
    run = evaluated(tmp_path / "a", SCORES)
    file = run / "evaluations" / "chains.parquet"
    pq.write_table(pq.read_table(file).replace_schema_metadata(None), file)
    with pytest.raises(DataError, match="does not tell under which setting"):
        items_of(run, "chains")
    file.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        items_of(run, "chains")
