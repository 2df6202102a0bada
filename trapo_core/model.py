"""Policies and tokenizers: any Hugging Face causal language model, or a tiny one made here.

Loading runs no code of the model's author: weights come from safetensors only, `trust_remote_code` is never set.
Weights stay float32 (the optimizer's master copy); a bfloat16 run computes under autocast.
"""

import functools
import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config
from transformers.cache_utils import Cache
from transformers.models.qwen2 import Qwen2ForCausalLM, Qwen2Tokenizer

from trapo_core import arithmetic
from trapo_core.attention import Segments, packed_hidden, use_packed_attention
from trapo_core.errors import ModelError
from trapo_core.lm_head import token_logps
from trapo_core.model_files import check_model_folder
from trapo_core.reader import Reader
from trapo_core.sources import FolderModel, HubModel

UNKNOWN_CONTEXT = 1 << 30
CHAT_TOKENS = ("<|im_start|>", "<|im_end|>")

# A packed stream to try at load, and how far its log-probs may be from the model's own, relative to its logits: float32
# leaves a hundredth of it.
CHECK_LENGTHS = (7, 4)
CHECK_GAP = 1e-4
PACKED_LAYERS = {"full_attention", "sliding_attention"}

QUESTION_SUFFIX = "\nPlease reason step by step, and put your final answer within \\boxed{}."
TEMPLATES = {
    "raw": "{problem}",
    "simple": "Question: {problem}\nAnswer:",
    # The released training prompt (ALGORITHMS 4.3).
    "qwen_math": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{problem}"
    + QUESTION_SUFFIX
    + "<|im_end|>\n<|im_start|>assistant\n",
}


@dataclass(frozen=True)
class Policy:
    """A model with what is needed to speak to it; the trainer reads it through `reader`. `context` is the longest
    sequence in tokens."""

    model: PreTrainedModel
    reader: Reader
    tokenizer: PreTrainedTokenizerFast
    device: torch.device
    dtype: torch.dtype
    eos_id: int
    stop_ids: frozenset[int]
    pad_id: int
    context: int

    def encode(self, text: str) -> list[int]:
        """Token ids without any special token added."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens included: an end token is part of an answer."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def prompt_text(self, problem: str, template: str) -> str:
        """The prompt as the model sees it. `chat` is the model's own template with the problem as user message."""
        if template == "chat":
            if not self.tokenizer.chat_template:
                raise ModelError("this tokenizer has no chat template.", "Choose template: qwen_math or simple.")
            message = [{"role": "user", "content": problem + QUESTION_SUFFIX}]
            return str(self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True))
        return TEMPLATES[template].replace("{problem}", problem)

    def prompt_ids(self, problem: str, template: str) -> list[int]:
        """`prompt_text` as tokens."""
        return self.encode(self.prompt_text(problem, template))

    def named_parameters(self) -> list[tuple[str, torch.nn.Parameter]]:
        """What is trained."""
        return [(name, value) for name, value in self.model.named_parameters() if value.requires_grad]

    def parameters(self) -> list[torch.nn.Parameter]:
        return [value for _, value in self.named_parameters()]

    def hidden(self, ids_B_T: Tensor, positions_B_T: Tensor, mask: Tensor | dict[str, Tensor], cache: Cache) -> Tensor:
        """Last hidden states B×T×D of tokens that follow what `cache` holds; `mask` B×1×T×S of what they see (for each
        kind of layer, if they differ)."""
        states: Tensor = self.model.base_model(
            input_ids=ids_B_T, position_ids=positions_B_T, attention_mask=mask, **going_on(self.model, cache)
        ).last_hidden_state
        return states

    def logits(self, hidden_B_D: Tensor) -> Tensor:
        """Next-token logits B×V after the given hidden states."""
        logits: Tensor = self.model.get_output_embeddings()(hidden_B_D)
        return logits

    def autocast(self) -> torch.autocast:
        """Forward passes in the run's dtype; a no-op for float32."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def going_on(model: PreTrainedModel, cache: Cache) -> dict[str, Any]:
    """What a forward pass is told to go on from `cache`."""
    return {_cache_word(type(model).forward): cache, "use_cache": True}


@functools.cache
def _cache_word(forward: Callable[..., Any]) -> str:
    """transformers 5.24 renamed `past_key_values`, and from 5.40 the old word will be refused."""
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


def load_policy(folder: Path | str, *, device: torch.device, dtype: torch.dtype, revision: str | None = None) -> Policy:
    """A policy from a local folder, or from the Hub if `folder` is a repository id (with `revision`).

    Raises ModelError, with the remedy, for anything missing, broken or unsafe.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, revision=revision, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, revision=revision, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot load the model {folder}: {error}", "Check the id or folder, and that it has safetensors."
        ) from error
    return make_policy(model, tokenizer, device=device, dtype=dtype)


def make_policy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, device: torch.device, dtype: torch.dtype
) -> Policy:
    eos_id = tokenizer.eos_token_id
    if eos_id is None:
        raise ModelError("the tokenizer has no end-of-sequence token.", "Set eos_token in its tokenizer_config.json.")
    generation_eos = model.generation_config.eos_token_id if model.generation_config else None
    stops = generation_eos if isinstance(generation_eos, list) else [generation_eos]
    model = model.to(device).eval()
    use_packed_attention(model)
    check_packed_stream(model)
    return Policy(
        model=model,
        reader=Reader(model),
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        eos_id=eos_id,
        stop_ids=frozenset({eos_id, *(stop for stop in stops if stop is not None)}),
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else eos_id,
        context=int(getattr(model.config, "max_position_embeddings", 0)) or UNKNOWN_CONTEXT,
    )


@torch.no_grad()
def check_packed_stream(model: PreTrainedModel) -> None:
    """Whether the log-probs that the trainer computes are the model's own, on one short stream of two sequences.

    Raises ModelError for models that do more than hidden states times head (scaled or capped logits), or that let
    sequences see each other: they would be trained on another distribution than they sample from, without a sign.
    """
    remedy = "Choose a decoder of the Llama or Qwen kind."
    head, kinds = model.get_output_embeddings(), set(getattr(model.config, "layer_types", None) or ())
    if head is None or (strange := kinds - PACKED_LAYERS):
        what = "has no language-model head" if head is None else f"has layers of {', '.join(sorted(strange))}"
        raise ModelError(f"this model {what} and cannot be trained here.", remedy)
    ids_N = torch.arange(sum(CHECK_LENGTHS), device=model.device) * 7919 % len(head.weight)
    targets_N = ids_N.roll(-1)
    try:
        hidden_N_D = packed_hidden(model, ids_N, Segments.of(CHECK_LENGTHS).to(model.device))
        logits_N_V = torch.cat(
            [model(input_ids=ids_T[None], use_cache=False).logits[0] for ids_T in ids_N.split(CHECK_LENGTHS)]
        )
    except ModelError:
        raise
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"this model cannot read a packed stream: {error}", remedy) from error
    logp_N, _ = token_logps(hidden_N_D, head.weight, targets_N, torch.ones_like(ids_N), bias_V=head.bias)
    own_logp_N = logits_N_V.float().log_softmax(dim=-1).gather(1, targets_N[:, None]).squeeze(1)
    gap, bound = (logp_N - own_logp_N).abs().max().item(), CHECK_GAP * max(1.0, logits_N_V.abs().max().item())
    if not gap <= bound:
        raise ModelError(f"log-probs computed here are {gap:.2g} off the model's own (allowed: {bound:.2g}).", remedy)


def load_source(
    source: HubModel | FolderModel, models_dir: Path, *, device: torch.device, dtype: torch.dtype
) -> Policy:
    """The policy that a spec names: a Hub repository, or a folder (relative ones lie under `models_dir`)."""
    if isinstance(source, HubModel):
        return load_policy(source.id, revision=source.revision, device=device, dtype=dtype)
    return load_policy(check_model_folder(source.path, models_dir), device=device, dtype=dtype)


def save_policy(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """An ordinary Hugging Face folder: safetensors, config and tokenizer. `weights` instead of the model's own."""
    model.save_pretrained(folder, state_dict=None if weights is None else dict(weights))
    tokenizer.save_pretrained(folder)


def init_tiny(
    texts: Iterable[str],
    folder: Path,
    *,
    vocab_size: int = 1024,
    hidden_size: int = 64,
    layers: int = 2,
    heads: int = 4,
    context: int = 1024,
    seed: int = 0,
) -> Path:
    """A randomly initialised Qwen2 model with a byte-level BPE tokenizer trained on `texts`, as a Hugging Face folder.

    Complete or absent: made beside `folder` and renamed. Returns `folder`.
    """
    tokenizer = byte_level_bpe(texts, vocab_size)
    model = new_qwen2(tokenizer, hidden_size=hidden_size, layers=layers, heads=heads, context=context, seed=seed)
    return publish(folder, model, tokenizer)


def publish(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    weights: Mapping[str, Tensor] | None = None,
) -> Path:
    """Save under a temporary name, then rename; an existing `folder` (somebody was faster) is left as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        save_policy(temporary, model, tokenizer, weights)
        temporary.chmod(0o755)
        try:
            os.rename(temporary, folder)
        except OSError:  # no folder takes the place of a full one
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def byte_level_bpe(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of Qwen2's kind, trained on `texts`: any text can be encoded and comes back (NFC)."""
    return Qwen2Tokenizer().train_new_from_iterator(
        texts, vocab_size, new_special_tokens=list(CHAT_TOKENS), show_progress=False
    )


def small_world_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each character of the small world: Qwen2's tokenizer without any merge."""
    vocabulary = {character: index for index, character in enumerate(arithmetic.VOCABULARY)}
    return Qwen2Tokenizer(
        vocab=vocabulary, merges=[], unk_token=None, eos_token=arithmetic.EOS, pad_token=arithmetic.PAD
    )


def new_qwen2(
    tokenizer: PreTrainedTokenizerFast, *, hidden_size: int, layers: int, heads: int, context: int, seed: int
) -> Qwen2ForCausalLM:
    """A Qwen2 block structure (RMSNorm, RoPE, QKV bias, SwiGLU, tied head) at random initialisation.

    The standard deviation is 0.5/sqrt(width): the library's 0.02 makes narrow models start too slowly.
    """
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        initializer_range=0.5 / hidden_size**0.5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(config)
