"""Adapters: they alone are trained, everybody sees the same model, and merged weights are that model too."""

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from trapo_core import checkpoint
from trapo_core.attention import Segments
from trapo_core.checkpoint import TrainerState
from trapo_core.errors import SpecError
from trapo_core.lora import add_adapters, base_of
from trapo_core.model import Policy, load_policy
from trapo_core.parallel import World
from trapo_core.prepare import check_world
from trapo_core.process import StopRequested
from trapo_core.spec_parts import Lora

from .conftest import events_of, final_weights, small_spec
from .test_train import run

SPEC = small_spec(lora={"rank": 4, "alpha": 8})
IDS_N = torch.arange(2, 16)


@pytest.fixture
def adapted(policy: Policy) -> Policy:
    """The base with adapters that change something."""
    add_adapters(policy, Lora(rank=4, alpha=8), seed=1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        for parameter in policy.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return policy


def logps(policy: Policy) -> Tensor:
    every = torch.arange(len(IDS_N))
    ones = torch.ones(len(IDS_N))
    logp_N, _ = policy.reader(IDS_N, Segments.of([len(IDS_N)]), every, IDS_N.roll(-1), ones)
    return logp_N


def saved_folder(policy: Policy, run_dir: Path) -> Path:
    return checkpoint.save(run_dir, SPEC, policy, {}, TrainerState(step=2)).folder


def test_fresh_adapters_change_nothing_and_are_all_that_is_trained(policy: Policy) -> None:
    before, count = logps(policy), len(policy.parameters())
    add_adapters(policy, Lora(rank=4), seed=1)
    assert torch.equal(logps(policy), before)
    assert len(policy.parameters()) == 2 * 7 * 2 != count  # A and B for seven linear layers in each of two blocks
    assert all(".lora_" in name for name, _ in policy.named_parameters())


def test_merged_weights_are_the_adapted_model(adapted: Policy, base_folder: Path, tmp_path: Path) -> None:
    folder = saved_folder(adapted, tmp_path)
    merged = load_policy(folder, device=adapted.device, dtype=adapted.dtype)
    base = load_policy(base_folder, device=adapted.device, dtype=adapted.dtype)
    torch.testing.assert_close(logps(merged), logps(adapted), rtol=0, atol=1e-5)
    assert (logps(base) - logps(adapted)).abs().max() > 0.1
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() == base.model.num_parameters()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own affair
def test_the_adapter_is_one_that_peft_loads(adapted: Policy, base_folder: Path, tmp_path: Path) -> None:
    folder = saved_folder(adapted, tmp_path)
    base = AutoModelForCausalLM.from_pretrained(base_folder)
    model = peft.PeftModel.from_pretrained(base, folder / "trainer" / "adapter")
    logits_N_V = model(input_ids=IDS_N[None], use_cache=False).logits[0]
    expected_N = logits_N_V.log_softmax(dim=-1).gather(1, IDS_N.roll(-1)[:, None]).squeeze(1)
    torch.testing.assert_close(logps(adapted), expected_N, rtol=0, atol=1e-5)


def test_the_reference_is_the_base_and_leaves_the_adapters_on(adapted: Policy, base_folder: Path) -> None:
    base = load_policy(base_folder, device=adapted.device, dtype=adapted.dtype)
    before = logps(adapted)
    assert torch.equal(logps(base_of(adapted)), logps(base))
    assert torch.equal(logps(adapted), before)
    logps(adapted).sum().backward()
    assert all(parameter.grad is not None for parameter in adapted.parameters())


@pytest.mark.parametrize("changes", [{}, {"method": "grpo", "policy": {"kl": 0.1}}])
def test_stopped_and_resumed_adapters_end_in_the_same_bits(
    changes: dict[str, Any], models_dir: Path, tmp_path: Path
) -> None:
    spec = small_spec(lora={"rank": 4}, optimizer={"lr": 1e-2}, **changes)
    run(spec, tmp_path / "whole", models_dir)
    with pytest.raises(StopRequested):
        run(spec, tmp_path / "stopped", models_dir, stop_after=3)
    run(spec, tmp_path / "stopped", models_dir)
    assert final_weights(tmp_path / "stopped") == final_weights(tmp_path / "whole")
    adapters = [
        tmp_path / name / "checkpoints" / "step-000006" / "trainer" / "adapter" / "adapter_model.safetensors"
        for name in ("stopped", "whole")
    ]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()
    steps = events_of(tmp_path / "whole", "step")
    # What is sampled is what is trained, from the first step to the last, when the adapters do something.
    assert max(event.metrics["sampler/logp_gap"] for event in steps) < 1e-5
    assert not (tmp_path / "whole" / "reference").exists()


def test_what_adapters_cannot_do_is_refused(policy: Policy) -> None:
    with pytest.raises(SpecError, match=r"/lora/target_modules: Target modules .*nowhere.* all-linear takes every"):
        add_adapters(policy, Lora(target_modules=("nowhere",)), seed=0)
    several = World()
    several.size = 2
    with pytest.raises(SpecError, match=r"/lora: adapters are trained by one process so far"):
        check_world(SPEC, several)
