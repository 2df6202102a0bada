"""The memory that a plan tells is that of a real step, within a factor of two."""

from pathlib import Path

import pytest

from bench.plan import estimated_memory, in_process, spec_of, write_models


@pytest.mark.slow
@pytest.mark.parametrize("recompute", [0, 1])
def test_the_peak_of_a_real_step_is_within_a_factor_of_two(recompute: int, tmp_path: Path) -> None:
    write_models(tmp_path, {"tiny": (64, 2), "4M": (256, 5)})
    measured = in_process(tmp_path / "4M", "float32", recompute)["peak"]
    estimated = estimated_memory(tmp_path / "4M", spec_of("float32", bool(recompute))).peak
    assert measured / 2 < estimated < 2 * measured
