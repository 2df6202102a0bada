"""What only a CUDA device shows: the loop in both dtypes, and recorded decode steps. Skips visibly without one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trapo_core.engine import BatchingEngine, SampleRequest, complete
from trapo_core.engine.decode import Pass
from trapo_core.events import EventWriter
from trapo_core.model import Policy, load_policy
from trapo_core.places import Places
from trapo_core.process import Attempt
from trapo_core.train import train

from .conftest import events_of, small_spec

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]


@pytest.mark.parametrize(("dtype", "gap"), [("float32", 1e-3), ("bfloat16", 0.1)])
def test_sampler_and_trainer_agree_on_a_gpu(dtype: str, gap: float, models_dir: Path, tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    spec = small_spec(steps=3, dtype=dtype, resources={"gpus": 1})
    for number in (1, 2):  # the second attempt loads the last checkpoint and finds the work done
        assert train(spec, tmp_path, Places(tmp_path, models_dir), Attempt(writer, number)) == 3
    writer.close()
    told = events_of(tmp_path, "step")
    assert [event.step for event in told] == [1, 2, 3]
    assert max(event.metrics["sampler/logp_gap"] for event in told) < gap


def plain(run: Pass) -> Pass:
    """No graph: every pass is started kernel by kernel."""
    return run


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_graphs_of_the_decode_step_repeat_it_and_follow_the_weights(
    dtype: torch.dtype, base_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy = load_policy(base_folder, device=torch.device("cuda"), dtype=dtype)
    policy = replace(policy, stop_ids=frozenset())
    asked = [SampleRequest(tuple(range(2, 6 + n)), n, 30 + n, temperature=0.0, family=n) for n in range(11)]
    graphs, kernels = BatchingEngine(policy), BatchingEngine(policy, record=plain)
    for _ in range(2):
        assert [done.ids for done in complete(graphs, asked)] == [done.ids for done in complete(kernels, asked)]
        half(policy)
        graphs.weights_changed()
        kernels.weights_changed()
    assert "without recorded graphs" not in caplog.text


def half(policy: Policy) -> None:
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(0.5)
