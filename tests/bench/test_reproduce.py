"""The reproduction: every row under the same conditions, verdicts by rule, and the machinery from end to end."""

from pathlib import Path

import pytest

from bench.reproduce.__main__ import choose, reproduce
from bench.reproduce.plan import CONTROL_ROWS, LEAP, ROWS, Run, Size, reported_runs, selection_runs, spec_of
from bench.reproduce.report import CLAIMS, Claim, claims, differences, interval, verdict
from bench.reproduce.runs import Result
from trapo_core.spec import TrainSpec, parse_spec

SIZE = Size()
RATES = {(base, row): 5e-4 for base in SIZE.bases for row in ROWS}


def result(chains: float, facts: float = 0.5) -> Result:
    scores = {"chains avg@8": chains, "chains pass@8": chains, "greedy avg@1": chains, "facts avg@1": facts}
    return Result(scores | {"choice avg@1": chains}, {}, 1.0)


def test_every_row_has_the_same_problems_rates_seeds_and_benchmarks() -> None:
    runs = selection_runs(SIZE) + reported_runs(SIZE, RATES)
    assert len({run.name for run in runs}) == len(runs)
    specs = [parse_spec(spec_of(run, SIZE)) for run in runs]
    assert len({spec.data.model_dump_json(exclude={"leap_probability"}) for spec in specs}) == 1  # type: ignore[union-attr]
    assert len({spec.evaluation for spec in specs if isinstance(spec, TrainSpec)}) == 1
    for row in ROWS:
        assert {run.lr for run in selection_runs(SIZE) if run.row == row} == set(SIZE.grid)
        for base in SIZE.bases:
            kept = [
                run.seed for run in reported_runs(SIZE, RATES) if (run.row, run.base, run.leap) == (row, base, LEAP)
            ]
            assert kept == list(SIZE.seeds)


def test_the_control_is_the_same_but_for_the_leaps() -> None:
    runs = reported_runs(SIZE, RATES)
    control = [run for run in runs if not run.leap]
    assert {run.row for run in control} == set(CONTROL_ROWS)
    assert all(Run(run.base, LEAP, run.row, run.lr, run.seed) in runs for run in control)


def test_the_rate_is_chosen_for_each_row_and_base_and_ties_go_to_the_lower() -> None:
    tried = {
        Run(0, LEAP, "grpo", 1e-3, 100): result(0.4), Run(0, LEAP, "grpo", 5e-4, 100): result(0.4),
        Run(1, LEAP, "grpo", 1e-3, 100): result(0.5), Run(1, LEAP, "grpo", 5e-4, 100): result(0.4),
    }  # fmt: skip
    assert choose(tried) == {(0, "grpo"): 5e-4, (1, "grpo"): 1e-3}


def test_differences_are_paired_by_base_and_seed() -> None:
    found = {
        Run(base, LEAP, row, 5e-4, seed): result(0.1 * base + 0.01 * seed + (0.2 if row == "trapo" else 0.0))
        for base in (0, 1)
        for seed in (0, 1, 2)
        for row in ("trapo", "grpo")
    }
    values = differences(Claim("", "trapo", "grpo", "chains avg@8", 1), found, {})
    assert values == pytest.approx([0.2] * 6)
    bases = {0: result(0.0, facts=0.9), 1: result(0.0, facts=0.7)}
    assert differences(Claim("", "trapo", None, "facts avg@1", -1), found, bases) == pytest.approx(
        [-0.4] * 3 + [-0.2] * 3
    )


def test_the_interval_is_students() -> None:
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2.0, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-3)


@pytest.mark.parametrize(
    ("sign", "low", "high", "said"),
    [
        (1, 0.1, 0.2, "reproduced"), (1, -0.1, 0.2, "not shown"), (1, -0.2, -0.1, "the opposite holds"),
        (-1, -0.2, -0.1, "reproduced"), (-1, 0.1, 0.2, "the opposite holds"),
    ],
)  # fmt: skip
def test_a_verdict_follows_from_the_interval_alone(sign: int, low: float, high: float, said: str) -> None:
    assert verdict(Claim("", "trapo", "grpo", "chains avg@8", sign), low, high) == said


def test_every_statement_is_about_rows_that_are_run() -> None:
    rows = {claim.row for claim in CLAIMS} | {claim.against for claim in CLAIMS if claim.against}
    assert rows <= set(ROWS)
    assert {claim.row for claim in CLAIMS if not claim.leap} <= set(CONTROL_ROWS)
    assert claims({}, {}, SIZE)[2:] == []


@pytest.mark.slow
def test_the_whole_thing_runs_and_goes_on_where_it_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAPO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    size = Size(
        steps=1,
        supervised_steps=1,
        problems=2,
        grid=(5e-4,),
        bases=(0,),
        base_steps=2,
        seeds=(0, 1),
        rows=("trapo", "grpo"),
    )
    said: list[str] = []
    reproduce(size, tmp_path / "out", 1, said.append)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| TRAPO | 2 | 0.0005 |" in text and "TRAPO gains over GRPO" in text
    assert (tmp_path / "out" / "frontier.png").stat().st_size > 10_000
    made = [line for line in said if "runs" in line]
    reproduce(size, tmp_path / "out", 1, said.append)
    assert [line for line in said if "runs" in line] == made
