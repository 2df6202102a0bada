"""The reproduction: every row under the same conditions, verdicts by rule, and the machinery from end to end."""

import json
from pathlib import Path

import pytest

from bench.reproduce import __main__ as command
from bench.reproduce.__main__ import SHORT, choose, reproduce
from bench.reproduce.plan import CONTROL_ROWS, LEAP, ROWS, Run, Size, reported_runs, selection_runs, spec_of
from bench.reproduce.report import CLAIMS, Claim, claims, differences, interval, mean_by_base, table, verdict
from bench.reproduce.runs import Result, digest, do_one, is_done, results
from trapo_core.places import Places
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
    assert values == pytest.approx({(base, seed): 0.2 for base in (0, 1) for seed in (0, 1, 2)})
    bases = {0: result(0.0, facts=0.9), 1: result(0.0, facts=0.7)}
    against_base = differences(Claim("", "trapo", None, "facts avg@1", -1), found, bases)
    assert mean_by_base(against_base, (0, 1)) == pytest.approx([-0.4, -0.2])


def test_the_interval_is_students() -> None:
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2.0, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-3)


@pytest.mark.parametrize(
    ("sign", "low", "high", "base_means", "said"),
    [
        (1, 0.1, 0.2, (0.1, 0.2), "reproduced"), (1, -0.1, 0.2, (0.1, 0.1), "not shown"),
        (1, -0.2, -0.1, (-0.1, -0.2), "the opposite holds"),
        (-1, -0.2, -0.1, (-0.1, -0.2), "reproduced"), (-1, 0.1, 0.2, (0.1, 0.2), "the opposite holds"),
        (1, 0.1, 0.2, (0.4, -0.1), "not shown"), (-1, 0.1, 0.2, (0.4, 0.0), "not shown"),
    ],
)  # fmt: skip
def test_a_verdict_needs_the_interval_and_every_base(
    sign: int, low: float, high: float, base_means: tuple[float, ...], said: str
) -> None:
    assert verdict(Claim("", "trapo", "grpo", "chains avg@8", sign), low, high, base_means) == said


def test_a_gain_of_one_base_alone_is_not_shown_and_each_base_has_its_column() -> None:
    gains = {(0, 0): 0.30, (0, 1): 0.31, (0, 2): 0.32, (0, 3): 0.33, (1, 0): -0.01, (1, 1): -0.01}
    found = {Run(base, LEAP, "grpo", 5e-4, seed): result(0.5) for base, seed in gains}
    found |= {Run(base, LEAP, "micro_group", 5e-4, seed): result(0.5 + gain) for (base, seed), gain in gains.items()}
    assert interval(list(gains.values()))[1] > 0
    head, _, line = claims(found, {}, Size(rows=("grpo", "micro_group")))
    assert "| base 0 | base 1 |" in head and "| +0.315 | -0.010 | 6 | not shown |" in line


def test_every_statement_is_about_rows_that_are_run() -> None:
    rows = {claim.row for claim in CLAIMS} | {claim.against for claim in CLAIMS if claim.against}
    assert rows <= set(ROWS)
    assert {claim.row for claim in CLAIMS if not claim.leap} <= set(CONTROL_ROWS)
    assert claims({}, {}, SIZE)[2:] == []


def test_a_run_with_guidance_but_without_its_curve_is_an_error() -> None:
    size = Size(rows=("grpo", "trapo"))
    lines = table({Run(0, LEAP, "grpo", 5e-4, 0): result(0.5)}, {0: result(0.2)}, size, LEAP)
    assert lines[-1].endswith("|  |")
    with pytest.raises(KeyError, match="guided/share"):
        table({Run(0, LEAP, "trapo", 5e-4, 0): result(0.5)}, {0: result(0.2)}, size, LEAP)


def test_the_short_form_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[object, ...]] = []
    monkeypatch.setattr(command, "reproduce", lambda size, out, *_: called.append((size, out)))
    command.main(["--short"])
    command.main([])
    command.main(["--short", "--out", "elsewhere"])
    full, short = Path("runs-local/reproduce"), Path("runs-local/reproduce-short")
    assert called == [(SHORT, short), (Size(), full), (SHORT, Path("elsewhere"))]


def test_a_digest_is_of_the_values_whatever_their_order() -> None:
    assert digest({"a": 1, "b": [2.5]}) == digest({"b": [2.5], "a": 1})
    # sha256 of {"a": 1, "b": [2.5]}: stored results stay valid only as long as this does not change.
    assert digest({"a": 1, "b": [2.5]}) == "85aab50d1927ebc07ebe5f0c7ef70a21fde353c2ca2719e08198d43a2c4542ff"
    run = Run(0, LEAP, "trapo", 5e-4, 0)
    assert run.name == spec_of(run, SHORT)["name"] == spec_of(run, SIZE)["name"]
    assert digest(spec_of(run, SHORT)) != digest(spec_of(run, SIZE))


def test_an_interrupted_run_begins_in_an_empty_folder_and_its_result_is_of_its_spec_alone(tmp_path: Path) -> None:
    run = Run(0, LEAP, "trapo", 5e-4, 0)
    values, longer = (spec_of(run, Size(steps=steps, problems=2, base_steps=2)) for steps in (1, 2))
    run_dir = tmp_path / run.name
    left = [run_dir / "checkpoints" / "step-000001" / "config.json", run_dir / "events.jsonl", run_dir / "left.txt"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of a run that was killed")
    assert not is_done(values, run_dir)
    do_one(values, run_dir, Places(tmp_path / "data", tmp_path / "models"))
    assert not left[-1].exists()
    made = results([run.name], tmp_path)[run.name]
    assert "chains avg@8" in made.scores and "last guided/share" in made.curves
    assert is_done(values, run_dir) and not is_done(longer, run_dir)

    # As results were stored before there were digests.
    stored = json.loads((run_dir / "result.json").read_text())
    del stored["digest"]
    (run_dir / "result.json").write_text(json.dumps(stored))
    assert not is_done(values, run_dir)


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
