"""`trapo eval`: what the words on the command line mean, and what they print."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from client import cli
from client.errors import UsageError
from client.eval_command import eval_spec
from client.which_model import named_model
from trapo_core.errors import SpecError
from trapo_core.sources import FileData, FolderModel, HubModel, SmallWorldModel

SMALL = [
    "--set", "model.steps=1", "--set", "resources={gpus: 0, cpu_threads: 1}", "--set", "benchmarks.0.max_tokens=2",
]  # fmt: skip


def trapo(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["trapo", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_names_become_an_evaluation_with_the_papers_samples() -> None:
    spec = eval_spec("Qwen/Qwen2.5-0.5B", ["aime24", " math500"], None, [])
    assert spec.model == HubModel(id="Qwen/Qwen2.5-0.5B")
    assert [(one.name, one.samples) for one in spec.benchmarks] == [("aime24", 32), ("math500", 1)]
    assert spec.name == "eval Qwen/Qwen2.5-0.5B"


def test_samples_and_set_are_laid_over() -> None:
    spec = eval_spec("small-world", ["small_world_chains"], 4, ["seed=7", "benchmarks.0.temperature=0.5"])
    assert spec.model == SmallWorldModel()
    assert (spec.seed, spec.benchmarks[0].samples, spec.benchmarks[0].temperature) == (7, 4, 0.5)


def test_wrong_words_are_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="Did you mean 'math500'"):
        eval_spec("Qwen/Qwen2.5-0.5B", ["math50"], None, [])
    with pytest.raises(SpecError, match="/benchmarks"):
        eval_spec("Qwen/Qwen2.5-0.5B", [""], None, [])


def test_a_folder_is_a_model_here_and_under_the_models_root(model_folder: Path, home: Path) -> None:
    assert named_model(str(model_folder)) == {"model": {"source": "folder", "path": str(model_folder)}}
    kept = home / "models" / "mine"
    kept.mkdir(parents=True)
    (kept / "config.json").write_text("{}")
    assert named_model("mine")["model"]["path"] == str(kept)


def test_a_run_stands_for_its_last_complete_checkpoint_and_its_template(tmp_path: Path) -> None:
    for step, complete in ((2, True), (10, True), (12, False)):
        trainer = tmp_path / "checkpoints" / f"step-{step:06d}" / "trainer"
        trainer.mkdir(parents=True)
        if complete:
            (trainer / "state.json").write_text("{}")
    (tmp_path / "spec.json").write_text('{"template": "simple"}')
    path = str(tmp_path / "checkpoints" / "step-000010")
    assert named_model(str(tmp_path)) == {"model": {"source": "folder", "path": path}, "template": "simple"}
    assert eval_spec(str(tmp_path), ["gsm8k"], None, []).model == FolderModel(path=path)


def test_a_run_without_a_checkpoint_and_a_name_of_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UsageError, match="no complete checkpoint"):
        named_model(str(tmp_path))
    with pytest.raises(UsageError, match="'nothing' is no model"):
        named_model("nothing")


def test_a_run_to_compare_with_is_asked_for_its_scores_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "small-world", "--benchmarks", "small_world_facts", "--against", str(tmp_path)]
    assert trapo(monkeypatch, *words, "--run-dir", str(tmp_path / "new")) == 2
    assert "has no score of small_world_facts" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_model_is_scored_and_compared_with_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real process, twice, on a base of one step."""
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["eval", "small-world", "--benchmarks", "small_world_facts", *SMALL]
    assert trapo(monkeypatch, *words, "--run-dir", str(first)) == 0
    assert "small_world_facts" in (said := capsys.readouterr().out) and "avg@1" in said and "107" in said
    assert trapo(monkeypatch, *words, "--run-dir", str(second), "--against", str(first), "--json") == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    [score], [delta] = told["scores"], told["deltas"]
    assert (score["problems"], score["samples"]) == (delta["problems"], delta["samples"]) == (107, 1)
    assert score["low"] <= score["score"] <= score["high"]
    assert (delta["metric"], delta["delta"]) == ("avg@1", 0.0)
    assert delta["low"] < 0 < delta["high"]


def test_an_evaluation_of_a_file_keeps_its_path() -> None:
    assert eval_spec("a/b", ["arc_c"], None, []).benchmarks[0].data == FileData(
        format="valid", path="benchmarks/arc_c.parquet", answers="choice"
    )
