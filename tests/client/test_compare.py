"""Two runs side by side: first what they were told, then how they did."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from client import Client
from client.compare_command import Difference, differences
from runs.settings import Settings
from tests.runs.board_world import answers, score_run, told
from trapo_core.stats import paired_delta, paired_p


def test_specs_differ_by_field_and_not_by_name() -> None:
    first = {"name": "a", "lr": 1, "same": [1], "slots": [{"n": 4}, {"n": 2}], "list": [1], "only": {"here": True}}
    second = {"name": "b", "lr": 2, "same": [1], "slots": [{"n": 4}, {"n": 3}], "list": [1, 2]}
    assert list(differences(first, second)) == [
        Difference("lr", 1, 2),
        Difference("slots.1.n", 2, 3),
        Difference("list", [1], [1, 2]),
        Difference("only", {"here": True}, None),
    ]


def test_differences_come_before_scores_with_their_intervals(
    trapo: Callable[..., Any], client: Client, saved: str
) -> None:
    other = client.clone(saved, {"optimizer.lr": 0.5}).id
    said = trapo("compare", saved, other).out
    assert said.index("optimizer.lr") < said.index("chains avg@4")
    assert "0.400 [0.350, 0.450] at 95 %, step 4" in said
    data = trapo("compare", saved, other, "--json").json
    assert [(one["field"], one["second"]) for one in data["differences"]] == [("optimizer.lr", 0.5)]
    [pair] = data["scores"]
    assert (pair["first"]["step"], pair["second"], pair["gain"]) == (4, None, None)
    assert "The specs are the same." in trapo("compare", saved, saved).out
    assert trapo("compare", saved, "run_none").status == 1


@pytest.mark.slow
def test_scores_of_runs_that_were_evaluated_alike_are_compared_in_pairs(
    trapo: Callable[..., Any], client: Client, run: str, engine: Engine, settings: Settings
) -> None:
    ours, theirs = answers(1, skill=0.7), answers(2)
    other = client.clone(run, {"optimizer.lr": 0.5}).id
    score_run(engine, settings.run_dir(run), run, *told(theirs))
    score_run(engine, settings.run_dir(other), other, *told(ours))
    [pair] = trapo("compare", run, other, "--json").json["scores"]
    delta, low, high = paired_delta(ours, theirs)
    assert pair["delta"] == pytest.approx({"delta": delta, "low": low, "high": high, "p": paired_p(ours, theirs)})
    assert f"{delta:+.3f} [{low:+.3f}, {high:+.3f}] p <0.001" in trapo("compare", run, other).out
