"""Evaluation: scores and intervals that follow from the answers, one setting for all models."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from trapo_core.compare import problems_digest, read_items, setting_of
from trapo_core.evaluate import Judge, load_benchmarks, make_checker, run_benchmark, score_benchmark
from trapo_core.events import BenchmarkScore
from trapo_core.model import Policy
from trapo_core.rollout_schema import ROWS_A_GROUP
from trapo_core.sources import FileData
from trapo_core.spec_parts import Benchmark, Reward
from trapo_core.stats import cluster_bootstrap, pass_at_k, wilson


def benchmark(**changes: object) -> Benchmark:
    values = {"name": "chains", "data": {"format": "small_world", "problems": 8, "min_ops": 1, "max_ops": 2}}
    return Benchmark.model_validate({**values, "samples": 3, "temperature": 1.0, "max_tokens": 12, **changes})


def judged(
    policy: Policy, settings: Benchmark, out_dir: Path, *, batch_size: int = 64, seed: int = 0
) -> list[BenchmarkScore]:
    [loaded] = load_benchmarks([settings], template="raw", data_dir=out_dir)
    judge = Judge(policy, Reward(), seed, batch_size, report=lambda *_: None, stop=lambda: None)
    return run_benchmark(loaded, judge, step=0, out_dir=out_dir).scores


def test_outcomes_count_right_answers_as_the_items_have_them(policy: Policy, tmp_path: Path) -> None:
    [loaded] = load_benchmarks([benchmark()], template="raw", data_dir=tmp_path)
    judge = Judge(policy, Reward(), 3, 5, report=lambda *_: None, stop=lambda: None)
    outcomes = run_benchmark(loaded, judge, step=4, out_dir=tmp_path).outcomes
    items = read_items(tmp_path / "chains.parquet")
    assert outcomes.right == [sum(scores) for scores in items.scores_by_problem]
    assert outcomes.problems == problems_digest(items.problems)
    assert (outcomes.step, outcomes.samples, outcomes.setting) == (4, 3, items.setting)


def without_time(scores: list[BenchmarkScore]) -> list[dict[str, object]]:
    return [score.model_dump(exclude={"ts"}) for score in scores]


def test_one_sample_a_problem_is_a_trial_with_wilsons_interval() -> None:
    [score] = score_benchmark(benchmark(samples=1), [[1.0], [0.0], [0.0], [1.0]], step=7)
    assert (score.metric, score.score, score.interval, score.problems, score.samples) == ("avg@1", 0.5, "wilson", 4, 1)
    assert (score.low, score.high) == wilson(2, 4, 0.95)


def test_several_samples_give_avg_and_pass_with_problems_resampled() -> None:
    by_problem = [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    average, passed = score_benchmark(benchmark(pass_at=[2]), by_problem, step=7)
    assert (average.metric, passed.metric) == ("avg@3", "pass@2")
    assert average.score == pytest.approx(4 / 9)
    assert passed.score == pytest.approx((pass_at_k(3, 1, 2) + 1 + 0) / 3)
    assert (average.low, average.high) == cluster_bootstrap(by_problem, confidence=0.95)
    assert average.interval == passed.interval == "cluster_bootstrap"


def test_scores_follow_from_the_items_kept(policy: Policy, tmp_path: Path) -> None:
    [average] = judged(policy, benchmark(), tmp_path)
    items = pq.read_table(tmp_path / "chains.parquet").to_pylist()
    assert [(item["problem"], item["sample"]) for item in items[:4]] == [
        ("chain-0-0", 0), ("chain-0-0", 1), ("chain-0-0", 2), ("chain-0-1", 0),
    ]  # fmt: skip
    assert average.score == pytest.approx(sum(item["score"] for item in items) / 24)
    for item in items:
        assert (item["score"] == 1) == item["completion"].endswith(f"#{item['answer']}$")


def test_items_are_kept_in_groups_so_that_one_is_read_without_the_others(policy: Policy, tmp_path: Path) -> None:
    judged(policy, benchmark(samples=40, max_tokens=2), tmp_path)
    with pq.ParquetFile(tmp_path / "chains.parquet") as file:
        assert [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)] == [ROWS_A_GROUP, 64]


def test_batches_do_not_change_a_score(policy: Policy, tmp_path: Path) -> None:
    whole = judged(policy, benchmark(), tmp_path / "a")
    small = judged(policy, benchmark(), tmp_path / "b", batch_size=5)
    assert without_time(whole) == without_time(small)


def test_samples_of_a_problem_are_drawn_independently(policy: Policy, tmp_path: Path) -> None:
    judged(policy, benchmark(samples=16), tmp_path)
    items = pq.read_table(tmp_path / "chains.parquet").to_pylist()
    assert len({item["completion"] for item in items if item["problem"] == "chain-0-0"}) > 1


def test_items_tell_the_setting_under_which_they_were_drawn(policy: Policy, tmp_path: Path) -> None:
    judged(policy, benchmark(pass_at=[2]), tmp_path)
    items = read_items(tmp_path / "chains.parquet")
    assert items.setting == setting_of(benchmark(), "qwen_math")
    assert items.setting == {
        "samples": 3, "temperature": 1.0, "max_tokens": 12, "template": "raw", "answers": "small_world",
        "checker": "1",
    }  # fmt: skip
    assert items.pass_at == (2,)
    assert len(items.problems) == len(items.scores_by_problem) == 8


@pytest.mark.parametrize(("answers", "score"), [("math", "wrong"), ("choice", "right")])
def test_the_datas_kind_of_answer_chooses_the_checker(answers: str, score: str) -> None:
    data = FileData.model_validate({"format": "jsonl", "path": "options.jsonl", "answers": answers})
    with make_checker(data, Reward(timeout_s=20)) as checker:
        assert checker.submit("C", r"\boxed{C) 20 N}").result().outcome == score


def test_an_evaluation_can_be_stopped_before_its_end(policy: Policy, tmp_path: Path) -> None:
    [loaded] = load_benchmarks([benchmark()], template="raw", data_dir=tmp_path)
    told: list[int] = []

    def stop() -> None:
        if told:
            raise KeyboardInterrupt

    judge = Judge(policy, Reward(), 0, 5, report=lambda _stage, done, _total: told.append(done), stop=stop)
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(loaded, judge, step=0, out_dir=tmp_path)
    assert len(told) == 1 and told[0] < len(loaded.problems) * loaded.settings.samples
    assert not list(tmp_path.glob("*.parquet"))
