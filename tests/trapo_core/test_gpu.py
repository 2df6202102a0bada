"""The same loop on a CUDA device: float32 and bfloat16, and a second attempt. Skips visibly without one."""

from pathlib import Path

import pytest
import torch

from trapo_core.events import EventWriter
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
