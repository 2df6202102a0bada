"""`trapo board`: scores of all runs, and what they may be compared with."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from client import Client
from client.board_command import difference, shown_p
from client.models import BoardCell
from runs.settings import Settings
from tests.runs.board_world import answers, score_run, told


@pytest.fixture
def scored(client: Client, run: str, engine: Engine, settings: Settings) -> tuple[str, str, str]:
    """A baseline, a better run, and one of another temperature."""
    better, hotter = client.clone(run, {"optimizer.lr": 0.5}).id, client.clone(run, {"seed": 7}).id
    for run_id, skill, setting in ((run, 0.3, {}), (better, 0.8, {}), (hotter, 0.5, {"temperature": 0.6})):
        score_run(engine, settings.run_dir(run_id), run_id, *told(answers(1, skill=skill), **setting))
    return run, better, hotter


def test_the_board_shows_intervals_differences_and_what_does_not_compare(
    trapo: Callable[..., Any], scored: tuple[str, str, str]
) -> None:
    base, better, hotter = scored
    said = trapo("board", "--baseline", base).out
    assert [said.index(run_id) for run_id in (hotter, better, base)] == sorted(map(said.index, scored))
    assert "chains avg@4" in said and "(baseline)" in said
    assert "p <0.001" in said and "≠ temperature" in said
    assert "by problem in pairs" in said


def test_seeds_are_one_row_and_json_has_every_run(
    trapo: Callable[..., Any], client: Client, scored: tuple[str, str, str]
) -> None:
    base, _, hotter = scored
    [group, _] = trapo("board", "--seeds", "--json").json["data"]
    assert [run["id"] for run in group["runs"]] == [hotter, base]
    assert len(client.board(limit=2).data) == 2
    assert trapo("board", "--benchmark", "none").out == "No scores yet.\n"


def test_papers_stand_below_with_their_citation(trapo: Callable[..., Any], client: Client) -> None:
    said = trapo("board", "--published", "--benchmark", "math500").out
    assert "LUFFY" in said and "arXiv 2512.17636" in said and "≠ setting" in said


def test_only_an_interval_on_one_side_of_zero_has_a_colour() -> None:
    def shown(low: float, high: float) -> str:
        delta = {"delta": (low + high) / 2, "low": low, "high": high, "p": 0.01}
        return difference(BoardCell.model_validate({"benchmark": "b", "metric": "m", "score": 0.5, "delta": delta}))

    assert [shown(*bounds).split("]")[0] for bounds in ((0.1, 0.3), (-0.3, -0.1), (-0.1, 0.1))] == [
        "[green", "[red", "[dim",
    ]  # fmt: skip
    assert (shown_p(0.0005), shown_p(0.25)) == ("<0.001", "0.250")


def test_models_and_data_sets_are_listed_with_what_is_wrong(
    trapo: Callable[..., Any], client: Client, settings: Settings
) -> None:
    (settings.models_root / "empty").mkdir(parents=True)
    settings.data_root.mkdir(parents=True, exist_ok=True)
    (settings.data_root / "own.jsonl").write_text('{"prompt": "a", "answer": 1}')
    assert "config.json" in trapo("models").out
    assert "own.jsonl" in trapo("datasets").out
    assert trapo("datasets", "--json").json[0]["problems"] == 1
