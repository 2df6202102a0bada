"""Sizes told before a model is loaded are those of the model."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from trapo_core import arithmetic
from trapo_core.model import init_tiny, new_qwen2, small_world_tokenizer
from trapo_core.shapes import ModelShape, config_shape, shape_of
from trapo_core.sources import FolderModel, HubModel, SmallWorldModel, TinyModel

# As the Hub's model pages tell them, in billions.
PUBLISHED = {
    "Qwen/Qwen2.5-0.5B": 0.494,
    "Qwen/Qwen2.5-1.5B-Instruct": 1.54,
    "Qwen/Qwen2.5-3B": 3.09,
    "Qwen/Qwen2.5-Math-7B": 7.62,
    "Qwen/Qwen2.5-14B": 14.8,
    "Qwen/Qwen2.5-32B": 32.8,
    "Qwen/Qwen3-0.6B-Base": 0.596,
    "Qwen/Qwen3-4B": 4.02,
    "Qwen/Qwen3-8B": 8.19,
    "meta-llama/Llama-3.2-1B": 1.24,
    "meta-llama/Llama-3.2-3B-Instruct": 3.21,
    "meta-llama/Llama-3.1-8B": 8.03,
    "meta-llama/Meta-Llama-3-8B": 8.03,
}
SMALL = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4}
SMALL |= {"num_key_value_heads": 2, "vocab_size": 101, "max_position_embeddings": 256}
CONFIGS = [
    Qwen2Config(**SMALL, tie_word_embeddings=False),
    Qwen2Config(**SMALL, tie_word_embeddings=True),
    Qwen3Config(**SMALL, head_dim=16, tie_word_embeddings=True),
    Qwen3Config(**SMALL, head_dim=8, attention_bias=True),
    LlamaConfig(**SMALL),
    LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True, head_dim=20),
    MistralConfig(**SMALL),
]


def known(found: ModelShape | str) -> ModelShape:
    assert isinstance(found, ModelShape), found
    return found


def why_not(found: ModelShape | str) -> str:
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_parameters_by_config_are_those_of_the_model(config, tmp_path: Path) -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    config.save_pretrained(tmp_path)
    shape = known(config_shape(tmp_path / "config.json"))
    assert shape.parameters == model.num_parameters()
    assert shape.context == 256
    head = model.get_output_embeddings().weight.numel()
    table = model.get_input_embeddings().weight.numel()
    assert shape.embedding_parameters == (head if config.tie_word_embeddings else head + table)
    assert shape.layer_parameters == sum(p.numel() for p in model.get_decoder().layers[0].parameters())


def test_parameters_of_the_projects_own_models_are_exact(tmp_path: Path) -> None:
    small_world = new_qwen2(small_world_tokenizer(), hidden_size=64, layers=2, heads=4, context=160, seed=0)
    assert known(shape_of(SmallWorldModel(), tmp_path)).parameters == small_world.num_parameters()
    source = TinyModel(vocab_size=320, hidden_size=32, layers=3, heads=2, context=128)
    text = " ".join(f"{number:b} {number:x} a{number}" for number in range(2000))
    folder = init_tiny([text], tmp_path / "tiny", **source.model_dump(exclude={"source"}))
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert known(shape_of(source, tmp_path)).parameters == model.num_parameters()
    assert known(shape_of(FolderModel(path="tiny"), tmp_path)) == known(shape_of(source, tmp_path))
    assert AutoConfig.from_pretrained(folder).vocab_size == 320
    assert len(arithmetic.VOCABULARY) == len(small_world_tokenizer())


@pytest.mark.parametrize(("name", "billions"), PUBLISHED.items())
def test_families_have_the_size_that_their_pages_tell(name: str, billions: float, tmp_path: Path) -> None:
    shape = known(shape_of(HubModel(id=name), tmp_path))
    assert shape.parameters / 1e9 == pytest.approx(billions, rel=5e-3)
    assert shape.known_from == "name"
    assert shape.context == (4096 if "Math" in name else None)


@pytest.mark.parametrize(
    "name", ["Qwen/Qwen2.5-72B", "Qwen/Qwen3-30B-A3B", "Qwen/Qwen2.5-VL-7B", "meta-llama/Llama-3.2-11B", "me/mine"]
)
def test_an_unknown_name_is_not_taken_for_another(name: str, tmp_path: Path) -> None:
    assert "tells no size" in why_not(shape_of(HubModel(id=name), tmp_path))


def test_derivatives_named_so_have_their_familys_size(tmp_path: Path) -> None:
    derived = shape_of(HubModel(id="Elliott/Qwen2.5-Math-7B-16k-think"), tmp_path)
    assert derived == shape_of(HubModel(id="Qwen/Qwen2.5-7B"), tmp_path), "its context is its own"


def test_the_hub_cache_is_better_than_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = tmp_path / "models--me--Qwen2.5-7B" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    CONFIGS[0].save_pretrained(snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shape = known(shape_of(HubModel(id="me/Qwen2.5-7B"), tmp_path))
    assert (shape.hidden, shape.known_from) == (48, "config")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "model_type None"),
        (json.dumps({"model_type": "mamba"}), "model_type 'mamba'"),
        (json.dumps({"model_type": "qwen2"}), "num_attention_heads"),
        (json.dumps({"model_type": "qwen2", **SMALL, "num_attention_heads": 0}), "does not tell"),
    ],
)
def test_a_config_that_tells_no_sizes_is_said_to(config: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config)
    assert reason in why_not(config_shape(tmp_path / "config.json"))


def test_a_folder_that_is_not_there_has_no_size(tmp_path: Path) -> None:
    assert "is not there" in why_not(shape_of(FolderModel(path="mine"), tmp_path))


def test_adapters_have_rank_times_in_and_out_of_each_linear_layer() -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(CONFIGS[2])
    linear = [m for m in model.get_decoder().layers.modules() if isinstance(m, torch.nn.Linear)]
    shape = ModelShape(
        kind="qwen3", hidden=48, feed_forward=80, layers=3, heads=4, key_heads=2, head_width=16, vocabulary=101
    )
    assert shape.adapter_parameters(8) == 8 * sum(m.in_features + m.out_features for m in linear)
