"""What `trapo plan` says, against the parts that it speaks of and against real steps."""

from pathlib import Path
from typing import Any

import pytest
import torch

from client.specfile import override
from trapo_core import lm_head, memory
from trapo_core.devices import DEVICES
from trapo_core.engine import batching, stems
from trapo_core.engine.rows import Rows
from trapo_core.estimate import Estimate, disk_of, estimate, room_problems
from trapo_core.memory import row_cache, token_cache, training_memory
from trapo_core.model import load_policy, new_qwen2, publish, small_world_tokenizer
from trapo_core.shapes import ModelShape, config_shape, shape_of
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec
from trapo_core.timing import forward_flops
from trapo_core.workload import workload

SEVEN = {"source": "hub", "id": "Qwen/Qwen2.5-7B", "revision": "0" * 40}
LARGE: dict[str, Any] = {
    "model": SEVEN,
    "dtype": "bfloat16",
    "data": {"format": "openr1", "path": "train.parquet"},
    "evaluation": {"benchmarks": [{"name": "aime24"}]},
    "resources": {"gpus": 8},
}


def spec_of(body: dict[str, Any]) -> TrainSpec | EvalSpec:
    return parse_spec(body)


def estimated(body: dict[str, Any], **asked: Any) -> Estimate:
    spec = spec_of(body)
    return estimate(spec, shape_of(spec.model, Path("/nowhere")), **asked)


def shape_named(name: str) -> ModelShape:
    shape = shape_of(spec_of(LARGE | {"model": {"source": "hub", "id": name}}).model, Path("/nowhere"))
    assert isinstance(shape, ModelShape)
    return shape


# ---------------------------------------------------------------------------------------------------------- memory


def test_bounds_are_those_of_the_parts_they_come_from() -> None:
    assert memory.HEAD_CHUNK_BYTES == lm_head.CHUNK_BYTES
    assert memory.CACHE_STEP == batching.LENGTH_STEP
    assert memory.KEPT_TOKENS == stems.KEPT_TOKENS


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_keys_and_values_take_what_the_engines_rows_take(dtype: str, tmp_path: Path) -> None:
    model = new_qwen2(small_world_tokenizer(), hidden_size=64, layers=3, heads=4, context=256, seed=0)
    rows = Rows(model.config, 5, 128, dtype=getattr(torch, dtype), device=torch.device("cpu"))
    model.save_pretrained(tmp_path)
    shape = config_shape(tmp_path / "config.json")
    assert isinstance(shape, ModelShape)
    assert 5 * row_cache(shape, dtype, 100) == rows.store.nbytes
    assert token_cache(shape, dtype) * 5 * 128 == rows.store.nbytes


def test_weights_gradients_and_moments_take_sixteen_bytes_a_parameter_over_all_gpus() -> None:
    shape = shape_named("Qwen/Qwen2.5-7B")
    for gpus in (1, 8):
        found = estimated(LARGE, gpus=gpus).memory
        assert found is not None
        assert found.weights + found.gradients + found.moments == pytest.approx(16 * shape.parameters / gpus, rel=1e-6)
        assert (found.sampling_copy > 0) == (gpus > 1)


def test_gradient_checkpointing_saves_activations_and_nothing_else() -> None:
    kept, recomputed = (estimated(LARGE | {"gradient_checkpointing": on}).memory for on in (False, True))
    assert kept is not None and recomputed is not None
    assert kept.activations == kept.activations_kept == recomputed.activations_kept
    assert recomputed.activations == kept.activations_recomputed < kept.activations / 5
    assert recomputed.peak < kept.peak
    assert recomputed.keys_values == kept.keys_values


def test_adapters_leave_the_weights_and_take_little_else() -> None:
    shape = shape_named("Qwen/Qwen2.5-7B")
    specs = [spec_of(LARGE), spec_of(LARGE | {"lora": {"rank": 16}})]
    assert all(isinstance(spec, TrainSpec) for spec in specs)
    full, lora = (training_memory(spec, shape, workload(spec), gpus=1, available=None) for spec in specs)
    assert lora.gradients < full.gradients / 100
    assert lora.moments < full.moments / 100
    assert full.weights < lora.weights < 1.01 * full.weights
    whole, small = (disk_of(spec, shape, workload(spec)).checkpoint for spec in specs)
    assert small < 0.4 * whole


CROWDED = [
    LARGE,
    LARGE | {"gradient_checkpointing": True, "tokens_per_microbatch": 131_072, "sampling": {"batch_size": 8}},
    LARGE | {"tokens_per_microbatch": 131_072},
    {"kind": "eval", "model": SEVEN, "dtype": "bfloat16", "benchmarks": [{"name": "aime24"}], "batch_size": 256},
]


@pytest.mark.parametrize("body", CROWDED)
def test_a_run_that_does_not_fit_is_told_the_knobs_that_help(body: dict[str, Any]) -> None:
    [warning] = estimated(body).warnings
    assert "H100 80 GB has 80" in warning
    settings = warning.split("Set ")[1].rstrip(".").split(", ")
    assert estimated(override(body, settings)).warnings == ()
    for number in range(len(settings)):
        fewer = settings[:number] + settings[number + 1 :]
        assert "evaluation.batch_size" in settings[number] or estimated(override(body, fewer)).warnings != (), fewer


def test_where_no_knob_helps_that_is_said() -> None:
    assert "No batch size fits" in estimated(LARGE, device="rtx4090", gpus=1).warnings[-1]


# ------------------------------------------------------------------------------------------------- time and disk


def test_a_forward_pass_takes_two_operations_a_weight_and_more_for_what_it_sees() -> None:
    shape = shape_named("Qwen/Qwen2.5-7B")
    weights = shape.parameters - shape.vocabulary * shape.hidden  # the table is read, not multiplied with
    assert forward_flops(shape, 1, 0) == pytest.approx(2 * weights, rel=1e-3)
    assert forward_flops(shape, 1, 1000) - forward_flops(shape, 1, 0) == 4 * 28 * 28 * 128 * 1000


def test_time_is_a_range_of_two_digits_that_shrinks_with_gpus_and_better_ones() -> None:
    one, eight, older = (
        estimated(LARGE, gpus=1), estimated(LARGE, gpus=8), estimated(LARGE, gpus=8, device="a100")
    )  # fmt: skip
    for found in (one, eight, older):
        assert found.time is not None
        assert found.time.total.low < found.time.total.high
        assert found.time.total.low == float(f"{found.time.total.low:.2g}")
    assert one.time and eight.time and older.time
    assert eight.time.total.high < older.time.total.high
    assert eight.time.total.low < one.time.total.low / 4
    assert eight.memory and one.memory
    assert one.memory.peak > eight.memory.peak


def test_a_checkpoint_is_as_large_as_estimated(tmp_path: Path) -> None:
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=64, layers=2, heads=4, context=160, seed=0)
    folder = publish(tmp_path / "model", model, tokenizer)
    policy = load_policy(folder, device=torch.device("cpu"), dtype=torch.float32)
    weights = (folder / "model.safetensors").stat().st_size
    found = estimated({"model": {"source": "small_world"}, "data": {"format": "small_world"}, "steps": 3})
    assert found.disk is not None
    assert found.parameters == policy.model.num_parameters()
    assert found.disk.checkpoint == pytest.approx(3 * weights, rel=0.05)


# -------------------------------------------------------------------------------------------------- what is not known


def test_an_unknown_model_leaves_memory_and_time_out_and_says_why() -> None:
    found = estimated(LARGE | {"model": {"source": "hub", "id": "me/mine", "revision": "0" * 40}})
    assert (found.memory, found.disk, found.time, found.parameters) == (None, None, None, None)
    assert "name tells no size" in found.notes[0]
    assert found.work.stages[0].samples_per_step == 1024


def test_a_family_known_by_name_is_said_to_be() -> None:
    assert any("family in its name" in note for note in estimated(LARGE).notes)


def test_responses_that_leave_no_room_in_a_known_context_are_problems() -> None:
    spec = spec_of(LARGE)
    shape = shape_named("Qwen/Qwen2.5-Math-7B")
    assert "8192 leaves no room for a prompt in a context of 4096" in room_problems(spec, shape)[0].message
    assert room_problems(spec, "unknown") == room_problems(spec, shape_named("Qwen/Qwen2.5-7B")) == []


def test_little_room_is_warned_of() -> None:
    body = LARGE | {"model": SEVEN | {"id": "Qwen/Qwen2.5-Math-7B"}, "sampling": {"max_tokens": 4000}}
    assert any("leaves 96 tokens" in warning for warning in estimated(body).warnings)


@pytest.mark.parametrize(
    ("asked", "device", "gpus"),
    [
        ({}, "h100", 8),
        ({"gpus": 0}, "cpu", 0),
        ({"device": "cpu"}, "cpu", 0),
        ({"device": "l40s", "gpus": 2}, "l40s", 2),
    ],
)
def test_the_device_is_what_is_asked_for_or_what_the_spec_wants(asked: dict[str, Any], device: str, gpus: int) -> None:
    found = estimated(LARGE, **asked)
    assert (found.device, found.gpus) == (device, gpus)
    assert DEVICES[found.device].memory is None or found.memory is not None


def test_an_estimate_travels_as_json() -> None:
    found = estimated(LARGE)
    assert Estimate.model_validate_json(found.model_dump_json()) == found
