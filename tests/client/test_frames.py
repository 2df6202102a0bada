"""Answers as pandas tables, and what is said where there is no pandas."""

import subprocess
import sys
from typing import Any

import pytest

from client import Client, frames
from client.errors import UsageError
from client.frames import Columns, Rows
from client.models import Curve, Guidance, Points


def test_scores_and_runs_are_a_row_each(client: Client, saved: str) -> None:
    pytest.importorskip("pandas")
    table = client.scores(saved).to_frame()
    assert table[["step", "score", "low"]].to_numpy().round(2).tolist() == [[2, 0.2, 0.15], [4, 0.4, 0.35]]
    runs = client.runs().to_frame()
    assert (runs["id"].tolist(), "summary.reward_unguided" in runs) == ([saved], True)
    assert client.runs(state="failed").to_frame().empty


def test_curves_and_points_are_a_row_for_each_point(client: Client, saved: str) -> None:
    pytest.importorskip("pandas")
    curves = Columns([Curve(run_id="r", key=key, steps=[1, 2], min=[0, 1], max=[2, 3], mean=[1, 2]) for key in "ab"])
    table = curves.to_frame()
    assert table["key"].tolist() == ["a", "a", "b", "b"]
    assert table.set_index(["key", "step"]).loc[("b", 2), "max"] == 3
    points = Columns([Points("r", "a", [1, 2], [0.5, float("nan")])]).to_frame()
    assert points["value"].isna().tolist() == [False, True]
    assert client.curves([saved], ["none"]).to_frame().empty


def test_guidance_is_a_row_for_each_slot() -> None:
    pytest.importorskip("pandas")
    slot = {"slot": 1, "ratio": 0.5, "guided": 1, "guided_reward": 1, "unguided": 0, "unguided_reward": 0}
    step = {"step": 3, "slots": [slot, slot | {"slot": 2}], "prefix_lengths": {"bin_tokens": 8, "counts": [1]}}
    table = Guidance.model_validate({"steps_per_bucket": 1, "data": [step]}).to_frame()
    assert table[["step", "slot"]].to_numpy().tolist() == [[3, 1], [3, 2]]


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> Any:
        return None

    monkeypatch.setattr(frames, "find_spec", nothing)
    with pytest.raises(UsageError, match=r"pandas is not installed here. pip install 'trapo\[pandas\]'"):
        Rows([]).to_frame()


def test_the_client_loads_without_what_only_some_need() -> None:
    heavy = "{'pandas', 'pyarrow', 'tensorboard', 'torch', 'numpy'}"
    code = f"import sys, client.cli, client.import_run; print(sorted({heavy} & sys.modules.keys()))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
