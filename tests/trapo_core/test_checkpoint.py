"""Checkpoints: whole or absent, loadable by anybody, refused where they do not belong."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from trapo_core import checkpoint
from trapo_core.checkpoint import TrainerState
from trapo_core.errors import CheckpointError
from trapo_core.model import Policy, load_policy

from .conftest import small_spec

SPEC = small_spec()


def stepped(policy: Policy, steps: int = 2) -> torch.optim.AdamW:
    """An optimizer that has moments for every weight."""
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        policy.model(input_ids=torch.tensor([[2, 5, 9]])).logits.square().mean().backward()
        optimizer.step()
    return optimizer


def test_a_checkpoint_is_a_model_that_transformers_loads(policy: Policy, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, SPEC, policy, {"main": stepped(policy)}, TrainerState(step=2))
    loaded = AutoModelForCausalLM.from_pretrained(saved.folder)
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)
    assert AutoTokenizer.from_pretrained(saved.folder).encode("#7$") == policy.encode("#7$")
    assert not [file for file in saved.folder.rglob("*") if file.suffix in (".bin", ".pt", ".pkl", ".pth")]


def test_state_and_moments_come_back_to_the_bit(policy: Policy, tmp_path: Path) -> None:
    optimizer = stepped(policy)
    state = TrainerState(step=2, evaluated_step=0, skipped=1)
    saved = checkpoint.save(tmp_path, SPEC, policy, {"main": optimizer}, state)
    again = load_policy(saved.folder, device=policy.device, dtype=policy.dtype)
    restored = torch.optim.AdamW(again.model.parameters(), lr=1e-3)
    checkpoint.load_optimizers(saved, again, {"main": restored})
    assert checkpoint.load_state(saved, SPEC) == state
    assert restored.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()
    for key, moments in optimizer.state_dict()["state"].items():
        for field, value in moments.items():
            assert torch.equal(restored.state_dict()["state"][key][field], value)


def test_half_a_checkpoint_is_not_seen(policy: Policy, tmp_path: Path) -> None:
    optimizer = stepped(policy)
    first = checkpoint.save(tmp_path, SPEC, policy, {"main": optimizer}, TrainerState(step=2))
    second = checkpoint.save(tmp_path, SPEC, policy, {"main": optimizer}, TrainerState(step=4))
    shutil.copytree(second.folder, second.folder.with_name(".step-000006.tmp"))
    (second.folder / "trainer" / "state.json").unlink()
    assert checkpoint.latest(tmp_path) == first


def test_only_the_last_are_kept(policy: Policy, tmp_path: Path) -> None:
    optimizer = stepped(policy)
    for step in (2, 4, 6):
        checkpoint.save(tmp_path, SPEC, policy, {"main": optimizer}, TrainerState(step=step))
    checkpoint.prune(tmp_path, keep_last=2)
    assert sorted(folder.name for folder in (tmp_path / "checkpoints").iterdir()) == ["step-000004", "step-000006"]


def test_another_spec_is_refused_and_another_name_is_not(policy: Policy, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, SPEC, policy, {"main": stepped(policy)}, TrainerState(step=2))
    checkpoint.load_state(saved, small_spec(name="renamed", checkpoints={"every_steps": 3}))
    with pytest.raises(CheckpointError, match="another spec"):
        checkpoint.load_state(saved, small_spec(seed=1))


def test_a_damaged_checkpoint_says_what_to_delete(policy: Policy, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, SPEC, policy, {"main": stepped(policy)}, TrainerState(step=2))
    (saved.folder / "trainer" / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"step-000002 is damaged.*Delete that folder"):
        checkpoint.load_state(saved, SPEC)


def test_counters_are_renewed_in_place(policy: Policy, tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, SPEC, policy, {"main": stepped(policy)}, TrainerState(step=2))
    checkpoint.update_state(tmp_path, SPEC, TrainerState(step=2, evaluated_step=2))
    assert checkpoint.load_state(saved, SPEC).evaluated_step == 2
    checkpoint.update_state(tmp_path, SPEC, TrainerState(step=3, evaluated_step=3))
    assert json.loads((saved.folder / "trainer" / "state.json").read_text())["state"]["step"] == 2


def test_the_checksum_is_that_of_the_weights(policy: Policy, tmp_path: Path) -> None:
    optimizer = stepped(policy)
    first = checkpoint.save(tmp_path / "a", SPEC, policy, {"main": optimizer}, TrainerState(step=2))
    second = checkpoint.save(tmp_path / "b", SPEC, policy, {"main": optimizer}, TrainerState(step=2))
    assert first.sha256 == second.sha256
    stepped(policy, 1)
    assert (
        checkpoint.save(tmp_path / "c", SPEC, policy, {"main": optimizer}, TrainerState(step=2)).sha256 != first.sha256
    )
