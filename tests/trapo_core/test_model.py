"""Models: made, saved as ordinary Hugging Face folders, loaded safely."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    PreTrainedModel,
    Qwen2ForCausalLM,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
)

from trapo_core import arithmetic
from trapo_core.errors import ModelError
from trapo_core.model import (
    Policy,
    init_tiny,
    load_policy,
    load_source,
    make_policy,
    new_qwen2,
    publish,
    small_world_tokenizer,
)
from trapo_core.sources import FolderModel

TEXTS = ["Natalia sold 48 clips.", "Then x = 3 and $y = \\frac{1}{2}$.\n\nThe answer is \\boxed{7}."] * 20
SIZES = {"vocab_size": 320, "hidden_size": 16, "layers": 1, "heads": 2}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return init_tiny(
        TEXTS, tmp_path_factory.mktemp("tiny") / "model", vocab_size=320, hidden_size=16, layers=1, heads=2
    )


def test_a_tiny_model_is_an_ordinary_folder(tiny: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    assert model.config.model_type == "qwen2"
    assert 256 < model.config.vocab_size == len(tokenizer) <= 320
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert [file.name for file in tiny.glob("*.safetensors")] == ["model.safetensors"]


@pytest.mark.parametrize(
    "text", ["Natalia  sold\n\n 48 clips", "größer ≥ 数学 🙂", "", "<|im_start|>user\n2<|im_end|>"]
)
def test_any_text_can_be_encoded_and_comes_back(tiny: Path, text: str) -> None:
    policy = load_policy(tiny, device=CPU, dtype=torch.float32)
    assert policy.decode(policy.encode(text)) == text


def test_the_same_seed_makes_the_same_model(tiny: Path, tmp_path: Path) -> None:
    again = init_tiny(TEXTS, tmp_path / "again", **SIZES)
    other = init_tiny(TEXTS, tmp_path / "other", seed=1, **SIZES)
    weights = [(folder / "model.safetensors").read_bytes() for folder in (tiny, again, other)]
    assert weights[0] == weights[1] != weights[2]


def test_making_a_model_leaves_the_callers_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    init_tiny(TEXTS, tmp_path / "model", **SIZES)
    assert torch.equal(torch.rand(3), expected)


def test_a_folder_that_exists_is_left_as_it_is(tiny: Path) -> None:
    before = (tiny / "model.safetensors").stat().st_mtime_ns
    policy = load_policy(tiny, device=CPU, dtype=torch.float32)
    publish(tiny, policy.model, policy.tokenizer)
    assert (tiny / "model.safetensors").stat().st_mtime_ns == before
    assert [path.name for path in tiny.parent.iterdir()] == ["model"]


def test_the_small_world_spells_one_token_a_character(base_folder: Path) -> None:
    text = "^s7b*8j-2?s7b*86j-24#4$"
    for tokenizer in (small_world_tokenizer(), AutoTokenizer.from_pretrained(base_folder)):
        ids = tokenizer.encode(text)
        assert [arithmetic.VOCABULARY[i] for i in ids] == list(text)
        assert tokenizer.decode(ids) == text


def test_prompts_follow_their_template(tiny: Path) -> None:
    policy = load_policy(tiny, device=CPU, dtype=torch.float32)
    assert policy.decode(policy.prompt_ids("2+2?", "raw")) == "2+2?"
    assert policy.decode(policy.prompt_ids("2+2?", "simple")) == "Question: 2+2?\nAnswer:"
    assert policy.decode(policy.prompt_ids("2+2?", "qwen_math")) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n2+2?\n"
        "Please reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_problem_with_braces_is_not_taken_for_a_template(tiny: Path) -> None:
    policy = load_policy(tiny, device=CPU, dtype=torch.float32)
    assert policy.decode(policy.prompt_ids("{problem} {x}", "simple")) == "Question: {problem} {x}\nAnswer:"


def test_a_chat_template_is_the_models_own_or_refused(tiny: Path) -> None:
    policy = load_policy(tiny, device=CPU, dtype=torch.float32)
    with pytest.raises(ModelError, match="no chat template"):
        policy.prompt_ids("2+2?", "chat")
    policy.tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    assert policy.decode(policy.prompt_ids("2+2?", "chat")).startswith("<user>2+2?\nPlease reason")


def test_a_folder_without_weights_or_without_config_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load_source(FolderModel(path="nowhere"), tmp_path, device=CPU, dtype=torch.float32)
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text((tiny / "config.json").read_text())
    torch.save({}, tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(
        ModelError, match=r"no safetensors weights.*pickled weights \(pytorch_model.bin\).*save_pretrained"
    ):
        load_source(FolderModel(path="pickled"), tmp_path, device=CPU, dtype=torch.float32)


def test_a_model_that_asks_for_its_own_code_is_refused(tiny: Path, tmp_path: Path) -> None:
    config = json.loads((tiny / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModelForCausalLM": "mine.Mine", "AutoConfig": "mine.Config"}}
    folder = tmp_path / "remote"
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('executed')")
    with pytest.raises(ModelError, match="cannot load the model"):
        load_policy(folder, device=CPU, dtype=torch.float32)


def test_bfloat16_computes_under_autocast_and_keeps_float32_weights(tiny: Path) -> None:
    policy = load_policy(tiny, device=CPU, dtype=torch.bfloat16)
    assert policy.model.dtype == torch.float32
    with policy.autocast():
        logits = policy.model(input_ids=torch.tensor([[1, 2, 3]])).logits
    assert logits.dtype == torch.bfloat16


def test_stop_tokens_are_those_of_tokenizer_and_generation_config(policy: Policy) -> None:
    assert policy.stop_ids == {policy.eos_id}
    assert policy.tokenizer.decode([policy.eos_id]) == arithmetic.EOS


SMALL = {
    "vocab_size": len(arithmetic.VOCABULARY), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "initializer_range": 0.2, "head_dim": 8, "pad_token_id": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        (GraniteForCausalLM, GraniteConfig(**SMALL, logits_scaling=4.0), "off the model's own"),
        (Gemma2ForCausalLM, Gemma2Config(**SMALL), "softcap cannot be packed"),
        (Qwen3NextForCausalLM, Qwen3NextConfig(**SMALL, layer_types=["linear_attention"] * 2), "linear_attention"),
    ],
)
def test_a_model_that_would_be_trained_on_other_log_probs_is_refused(
    kind: type[PreTrainedModel], config: object, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        make_policy(kind(config), small_world_tokenizer(), device=CPU, dtype=torch.float32)


def test_a_head_with_a_bias_is_trained_with_its_bias() -> None:
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=16, layers=1, heads=2, context=32, seed=0)
    model.lm_head = torch.nn.Linear(16, len(tokenizer))
    assert make_policy(model, tokenizer, device=CPU, dtype=torch.float32).model.get_output_embeddings().bias is not None


def test_a_saved_model_is_loaded_by_others_with_their_own_attention(tiny: Path, tmp_path: Path) -> None:
    policy = load_policy(tiny, device=CPU, dtype=torch.float32)
    publish(tmp_path / "saved", policy.model, policy.tokenizer)
    assert "trapo" not in (tmp_path / "saved" / "config.json").read_text()
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "saved").config._attn_implementation == "sdpa"


def test_a_loaded_model_has_no_dropout_and_a_broken_one_is_refused() -> None:
    tokenizer = small_world_tokenizer()
    model: Qwen2ForCausalLM = new_qwen2(tokenizer, hidden_size=16, layers=1, heads=2, context=32, seed=0).train()
    assert not make_policy(model, tokenizer, device=CPU, dtype=torch.float32).model.training
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="nan off"):
        make_policy(model, tokenizer, device=CPU, dtype=torch.float32)
