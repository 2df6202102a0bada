"""The pilot experiments, shortened: the paper's facts hold, and what does not hold ends in a failure."""

from pathlib import Path

import pytest
import torch

pytest.importorskip("matplotlib")

from bench.pilot.__main__ import main
from bench.pilot.facts import Fact, markdown
from bench.pilot.mixture import GRID_X, SETTINGS, STEP_X, expert_density
from bench.pilot.tabular import CASES, Minimised, minimise

PNG = b"\x89PNG"


@pytest.mark.slow
def test_the_facts_hold_in_a_short_form_with_pictures_and_a_table(tmp_path: Path) -> None:
    overview = tmp_path / "overview.png"
    arguments = ["--seeds", "2", "--steps", "100", "--table-steps", "2200", "--overview", str(overview)]
    assert main(["--out", str(tmp_path / "out"), *arguments]) == 0
    report = (tmp_path / "out" / "pilot.md").read_text()
    assert report.count("| PASS |") == 4 * len(SETTINGS) + 2 * len(CASES)
    pictures = [*(tmp_path / "out").glob("*.png"), overview]
    assert {path.stem for path in pictures} == {"three-modes", "far-mode", "proposition-1", "overview"}
    assert all(path.read_bytes().startswith(PNG) and path.stat().st_size > 20_000 for path in pictures)


def test_a_fact_that_does_not_hold_fails_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hurried = ["--seeds", "1", "--steps", "100", "--table-steps", "20"]
    assert main(["--out", str(tmp_path), *hurried]) == 1
    assert "| FAIL | Proposition 1, two dropped |" in capsys.readouterr().out


@pytest.mark.parametrize(("figure", "above", "holds"), [(0.1, True, True), (0.1, False, False), (0.05, True, False)])
def test_a_fact_compares_its_figure_with_its_threshold(figure: float, above: bool, holds: bool) -> None:
    fact = Fact("mixture", "mass", figure, 0.09, above)
    assert fact.holds is holds
    assert ("PASS" if holds else "FAIL") in markdown([fact], {"seeds": 1})


def test_not_a_number_is_no_fact() -> None:
    assert not Fact("mixture", "mass", float("nan"), 0.09, above=True).holds
    assert not Fact("mixture", "mass", float("nan"), 0.09).holds


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_grid_holds_all_of_the_expert(setting) -> None:  # type: ignore[no-untyped-def]
    assert float(expert_density(setting).sum()) * STEP_X == pytest.approx(1.0, abs=1e-9)
    assert len(GRID_X) == 4001


def test_tokens_that_share_freely_count_as_one_and_the_others_do_not() -> None:
    tied = next(case for case in CASES if "two tied" in case.name)
    split = tied.optimum_C + torch.tensor([0.0, 0.03, -0.03], dtype=torch.float64)
    assert Minimised(tied, split[None]).distance == pytest.approx(0.0, abs=1e-12)
    moved = tied.optimum_C + torch.tensor([-0.03, 0.03, 0.0], dtype=torch.float64)
    assert Minimised(tied, moved[None]).distance == pytest.approx(0.03)


def test_ties_begun_apart_stay_apart_at_the_same_loss() -> None:
    tied = next(case for case in CASES if case.name == "all tied")
    found = minimise(tied, seeds=2, steps=300)
    assert float((found.found_R_C[2:, 0] - 0.5).abs().max()) > 0.01
    assert found.excess < 1e-12
