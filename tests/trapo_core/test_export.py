"""An exported model is one that anybody loads, and its card says where it is from."""

from pathlib import Path

import pytest
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from trapo_core import checkpoint
from trapo_core.checkpoint import TrainerState
from trapo_core.errors import ExportError
from trapo_core.events import AttemptStarted, BenchmarkScore, EventWriter
from trapo_core.export import export, model_card, push
from trapo_core.model import Policy

from .conftest import small_spec

HUB = {"source": "hub", "id": "Qwen/Qwen2.5-0.5B", "revision": "abc"}
FILE = {"format": "jsonl", "path": "some.jsonl"}


@pytest.fixture
def run_dir(policy: Policy, tmp_path: Path) -> Path:
    """A run with checkpoints of steps 2 and 4, scored at the latter."""
    folder = tmp_path / "run"
    folder.mkdir()
    spec = small_spec(name="chains", seed=7)
    (folder / "spec.json").write_text(spec.model_dump_json())
    writer = EventWriter(folder)
    writer(AttemptStarted(attempt=1, resumed_from_step=-1, total_steps=6, pid=1, versions={"torch": "2.13"}))
    for step in (2, 4):
        checkpoint.save(folder, spec, policy, {}, TrainerState(step=step))
    writer(
        BenchmarkScore(
            step=4, benchmark="chains", metric="avg@8", score=0.581, low=0.51, high=0.648, confidence=0.95,
            interval="cluster_bootstrap", problems=96, samples=8,
        )
    )  # fmt: skip
    writer.close()
    return folder


def test_an_exported_folder_is_a_model_with_a_card_and_nothing_else(
    run_dir: Path, policy: Policy, tmp_path: Path
) -> None:
    out = export(run_dir, tmp_path / "given" / "away")
    assert AutoModelForCausalLM.from_pretrained(out).num_parameters() == policy.model.num_parameters()
    assert AutoTokenizer.from_pretrained(out).encode("#7$") == policy.encode("#7$")
    assert not [path for path in out.iterdir() if path.is_dir()]
    assert [path.name for path in out.parent.iterdir()] == ["away"]
    card = (out / "README.md").read_text()
    for fact in ("| chains | avg@8 | 0.581 | [0.510, 0.648] | 96 × 8 |", "95% interval", "4 steps", "seed: 7",
                 "torch 2.13", "arxiv.org/abs/2512.17636", "## Licence"):  # fmt: skip
        assert fact in card


def test_a_step_without_scores_says_so(run_dir: Path, tmp_path: Path) -> None:
    card = (export(run_dir, tmp_path / "two", step=2) / "README.md").read_text()
    assert "Not evaluated at this step." in card
    assert "trained for 2 steps" in card


def test_the_card_of_a_hub_model_links_its_base_and_states_no_licence() -> None:
    card = model_card(small_spec(model=HUB, data=FILE), [], 3)
    head = yaml.safe_load(card.split("---")[1])
    assert head["base_model"] == "Qwen/Qwen2.5-0.5B"
    assert head["tags"] == ["trapo"]
    assert "license" not in head


def test_what_cannot_be_exported_says_what_can(run_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no checkpoint of step 3\. It has: 2, 4"):
        export(run_dir, tmp_path / "out", step=3)
    with pytest.raises(ExportError, match=r"has no checkpoint\."):
        export(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "there").mkdir()
    with pytest.raises(ExportError, match=r"there exists\. Give another --out"):
        export(run_dir, tmp_path / "there")
    assert not (tmp_path / "out").exists()


def test_pushing_offline_is_refused_and_keeps_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ExportError, match=r"HF_HUB_OFFLINE. Unset it. The exported folder is"):
        push(tmp_path, "me/mine")
