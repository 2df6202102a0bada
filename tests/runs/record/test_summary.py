"""What lists show of a run."""

from runs.record.summary import first_score, sparkline_is_due
from runs.tables import ScoreRow


def test_a_sparkline_is_drawn_at_each_step_of_a_short_run_and_some_200_times_in_a_long_one():
    assert all(sparkline_is_due(step, step, 100) for step in range(1, 101))
    drawn = [step for step in range(1, 100_001) if sparkline_is_due(step, step, 100_000)]
    assert 199 <= len(drawn) <= 202
    assert drawn[-1] == 100_000


def test_the_summarys_score_is_the_first_benchmarks_latest_average():
    spec = {"evaluation": {"benchmarks": [{"name": "a"}, {"name": "b"}]}}
    values = [("a", "avg@1", 0.1), ("a", "avg@1", 0.2), ("a", "pass@8", 0.9), ("b", "avg@1", 0.8)]
    rows = [ScoreRow(benchmark=name, metric=metric, score=score) for name, metric, score in values]
    assert first_score(spec, rows) == 0.2
    assert first_score({"benchmarks": [{"name": "b"}]}, rows) == 0.8
    assert first_score({}, rows) is None
