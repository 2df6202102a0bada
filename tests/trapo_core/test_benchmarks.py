"""Benchmarks by name: what a name fills in, what a spec may say itself, and when each is due."""

import os
from pathlib import Path
from typing import Any

import pytest

from trapo_core.benchmarks import KNOWN, origin
from trapo_core.compare import verifier_for
from trapo_core.data import load_problems
from trapo_core.errors import DataError, SpecError
from trapo_core.sources import FileData, SmallWorldData
from trapo_core.spec import EvalSpec, parse_spec
from trapo_core.spec_parts import Benchmark, Evaluation

DATA_DIR = Path(os.environ.get("TRAPO_DATA_DIR", Path(__file__).parents[2].parent / "shared" / "data"))
UNIQUE = {
    "aime24": 30, "aime25": 30, "amc": 83, "math500": 500, "minerva": 272, "olympiadbench": 675, "arc_c": 1172,
    "gsm8k": 1319,
}  # fmt: skip


def benchmark(**values: Any) -> Benchmark:
    return Benchmark.model_validate(values)


def refusal(**values: Any) -> str:
    with pytest.raises(SpecError) as refused:
        parse_spec({"kind": "eval", "model": {"source": "hub", "id": "a/b"}, "benchmarks": [values]})
    return str(refused.value)


@pytest.mark.parametrize("name", KNOWN)
def test_a_name_is_enough_and_what_it_stands_for_parses_to_itself(name: str) -> None:
    model = {"source": "small_world"} if name.startswith("small_world") else {"source": "hub", "id": "a/b"}
    spec = parse_spec({"kind": "eval", "model": model, "benchmarks": [{"name": name}]})
    assert isinstance(spec, EvalSpec)
    assert parse_spec(spec.model_dump(mode="json")) == spec
    [filled] = spec.benchmarks
    assert isinstance(filled.data, SmallWorldData) or origin(filled.data.path)


def test_samples_and_sampler_are_the_papers() -> None:
    samples = {name: benchmark(name=name).samples for name in KNOWN if not name.startswith("small_world")}
    assert {name for name, n in samples.items() if n == 32} == {"aime24", "aime25", "amc"}
    assert {n for n in samples.values() if n != 32} == {1}
    assert (benchmark(name="amc").temperature, benchmark(name="amc").max_tokens) == (0.6, 8192)


def test_options_are_checked_by_their_letters() -> None:
    chosen = {name for name in KNOWN if verifier_for(benchmark(name=name).data) == "choice"}
    assert chosen == {"arc_c", "mmlu_pro", "gpqa"}


@pytest.mark.parametrize(("name", "problems"), UNIQUE.items())
def test_the_files_hold_as_many_unique_problems_as_are_known(name: str, problems: int) -> None:
    source = benchmark(name=name).data
    assert isinstance(source, FileData)
    if not (DATA_DIR / source.path).is_file():
        pytest.skip(f"no {DATA_DIR / source.path}; set TRAPO_DATA_DIR")
    assert len(load_problems(source, DATA_DIR)) == problems


def test_whatever_the_spec_says_itself_wins() -> None:
    changed = benchmark(name="aime24", samples=4, pass_at=[4], data={"limit": 5})
    assert (changed.samples, changed.pass_at) == (4, (4,))
    assert changed.data == FileData(format="valid", path="benchmarks/aime.parquet", limit=5)


def test_a_file_of_ones_own_keeps_the_kind_of_answer() -> None:
    own = benchmark(name="arc_c", data={"format": "jsonl", "path": "mine.jsonl"}).data
    assert own == FileData(format="jsonl", path="mine.jsonl", answers="choice")


def test_data_of_the_small_world_take_nothing_from_a_file() -> None:
    made = benchmark(name="gsm8k", data={"format": "small_world", "problems": 3}).data
    assert made == SmallWorldData(problems=3)


def test_an_unknown_name_without_data_is_refused_with_the_nearest() -> None:
    assert "/benchmarks/0/name: 'math5000' is not a known benchmark. Did you mean 'math500'?" in refusal(
        name="math5000"
    )
    assert "Known: aime24, aime25, amc, arc_c, " in refusal(name="zzz")


def test_an_unknown_name_with_data_is_ones_own_benchmark() -> None:
    own = benchmark(name="mine", data={"format": "jsonl", "path": "mine.jsonl"})
    assert (own.samples, own.data) == (1, FileData(format="jsonl", path="mine.jsonl"))


@pytest.mark.parametrize(("name", "repository"), [("mmlu_pro", "ElliottYan/LUFFY"), ("aime24", "Su-my/TRAPO")])
def test_a_missing_file_is_named_with_the_setting_and_where_it_is_to_be_had(
    name: str, repository: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as missing:
        load_problems(benchmark(name=name).data, tmp_path)
    said = str(missing.value)
    assert f"{tmp_path}/benchmarks/" in said and "TRAPO_DATA_DIR" in said and f"github.com/{repository}" in said


def test_a_missing_gsm8k_names_its_data_set_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hub: openai/gsm8k, path: main/test-00000-of-00001\.parquet"):
        load_problems(benchmark(name="gsm8k").data, tmp_path)


# -------------------------------------------------------------------------------------------------------- schedules


def due(step: int, plan: Evaluation, total_steps: int = 10) -> list[str]:
    return [one.name for one in plan.due(step, total_steps)]


def test_each_benchmark_is_due_on_its_own_schedule_and_all_at_the_end() -> None:
    benchmarks = [{"name": "gsm8k", "every_steps": 2}, {"name": "math500"}, {"name": "aime24", "every_steps": 0}]
    plan = Evaluation.model_validate({"every_steps": 4, "benchmarks": benchmarks})
    found = {step: due(step, plan) for step in range(11)}
    assert {step: names for step, names in found.items() if names} == {
        2: ["gsm8k"],
        4: ["gsm8k", "math500"],
        6: ["gsm8k"],
        8: ["gsm8k", "math500"],
        10: ["gsm8k", "math500", "aime24"],
    }


def test_the_start_is_for_all_if_asked_for() -> None:
    benchmarks = [{"name": "gsm8k"}, {"name": "aime24", "every_steps": 5}]
    plan = Evaluation.model_validate({"at_start": True, "benchmarks": benchmarks})
    assert (due(0, plan), due(1, plan), due(5, plan)) == (["gsm8k", "aime24"], [], ["aime24"])
    assert due(0, Evaluation()) == due(10, Evaluation()) == []


def test_an_evaluation_run_has_no_schedule() -> None:
    assert "/benchmarks/0/every_steps: an evaluation has no steps." in refusal(name="aime24", every_steps=2)
