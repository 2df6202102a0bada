"""How large a model is, before it is loaded: from its config.json, from the spec, or by the name of its family.

Dense decoders of the Qwen2, Qwen3, Llama and Mistral kinds; of others nothing is said rather than something wrong.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trapo_core import arithmetic
from trapo_core.hub import cached_model_file
from trapo_core.sources import HubModel, ModelSource, SmallWorldModel, TinyModel

# Biases on queries, keys and values; norms of queries and keys: what the kinds do besides the common block.
QKV_BIAS, QK_NORM = {"qwen2"}, {"qwen3"}
KINDS = {"qwen2", "qwen3", "llama", "mistral"}


class ModelShape(BaseModel):
    """Sizes of a dense decoder. `known_from` is config (also: made by the spec), or name: the family's own sizes, which
    a model of that name may have changed; then its context is left unknown."""

    model_config = ConfigDict(frozen=True)

    kind: str = "qwen2"
    hidden: int = Field(ge=1)
    feed_forward: int = Field(ge=1)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    key_heads: int = Field(ge=1)
    head_width: int = Field(ge=1)
    vocabulary: int = Field(ge=1)
    tied: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    context: int | None = None
    known_from: Literal["config", "name"] = "config"

    @property
    def query_width(self) -> int:
        return self.heads * self.head_width

    @property
    def key_width(self) -> int:
        return self.key_heads * self.head_width

    @property
    def layer_parameters(self) -> int:
        """Of one block: four projections of attention, three of the MLP, two norms, and the kind's own."""
        attention = 2 * self.hidden * (self.query_width + self.key_width)
        inner = self.query_width + 2 * self.key_width
        bias = inner * (self.attention_bias or self.kind in QKV_BIAS) + self.hidden * self.attention_bias
        bias += (2 * self.feed_forward + self.hidden) * self.mlp_bias
        norms = 2 * self.hidden + 2 * self.head_width * (self.kind in QK_NORM)
        return attention + 3 * self.hidden * self.feed_forward + bias + norms

    @property
    def embedding_parameters(self) -> int:
        """Of token embeddings and head, which may be one."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        return self.layers * self.layer_parameters + self.embedding_parameters + self.hidden

    @property
    def product_parameters(self) -> int:
        """Those that every token is multiplied with: all but the embedding table, which is read."""
        return self.layers * self.layer_parameters + self.vocabulary * self.hidden

    def adapter_parameters(self, rank: int) -> int:
        """Of LoRA adapters of `rank` on all linear layers of the blocks (arXiv 2106.09685): r · (in + out) each."""
        attention = 2 * (self.hidden + self.query_width) + 2 * (self.hidden + self.key_width)
        return rank * self.layers * (attention + 3 * (self.hidden + self.feed_forward))


def shape_of(source: ModelSource, models_dir: Path) -> ModelShape | str:
    """The shape of the spec's model, or one line that says why it is not known. Reads no more than a config.json; asks
    no network. A tiny model's vocabulary is at most what is returned: little text makes a smaller one."""
    if isinstance(source, SmallWorldModel):
        return own_shape(len(arithmetic.VOCABULARY), 64, layers=2, heads=4, context=source.context)
    if isinstance(source, TinyModel):
        return own_shape(
            source.vocab_size, source.hidden_size, layers=source.layers, heads=source.heads, context=source.context
        )
    if isinstance(source, HubModel):
        config = cached_model_file(source.id, "config.json", source.revision)
        return config_shape(config) if config else _named(source.id)
    config = models_dir / Path(source.path).expanduser() / "config.json"
    return config_shape(config) if config.is_file() else f"{config} is not there, so its size is not known."


def own_shape(vocabulary: int, hidden: int, *, layers: int, heads: int, context: int) -> ModelShape:
    """Of a model that the project makes itself (`model.new_qwen2`)."""
    return ModelShape(
        hidden=hidden, feed_forward=3 * hidden, layers=layers, heads=heads, key_heads=heads,
        head_width=hidden // heads, vocabulary=vocabulary, tied=True, context=context,
    )  # fmt: skip


def config_shape(path: Path) -> ModelShape | str:
    """The shape that a Hugging Face config.json tells, or why it cannot be had from it."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {error}."
    kind = config.get("model_type") if isinstance(config, Mapping) else None
    if kind not in KINDS:
        return f"{path}: sizes of model_type {kind!r} are not known here, only of {', '.join(sorted(KINDS))}."
    try:
        return _from_config(config)
    except (KeyError, TypeError, ZeroDivisionError, ValidationError) as error:
        return f"{path} does not tell a size that is needed: {str(error).splitlines()[0]}."


def _from_config(config: Mapping[str, Any]) -> ModelShape:
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    return ModelShape(
        kind=config["model_type"], hidden=hidden, feed_forward=config["intermediate_size"],
        layers=config["num_hidden_layers"], heads=heads, key_heads=config.get("num_key_value_heads") or heads,
        head_width=config.get("head_dim") or hidden // heads, vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", False), context=config.get("max_position_embeddings"),
        attention_bias=config.get("attention_bias", False), mlp_bias=config.get("mlp_bias", False),
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------- families by name

# family and size: kind, hidden, feed-forward, layers, heads, key heads, head width, vocabulary, tied.
# From the config.json of each family's base models on the Hub.
_COLUMNS = ("kind", "hidden", "feed_forward", "layers", "heads", "key_heads", "head_width", "vocabulary", "tied")
_FAMILIES: dict[str, tuple[str | int | bool, ...]] = {
    "qwen2.5-0.5b": ("qwen2", 896, 4864, 24, 14, 2, 64, 151_936, True),
    "qwen2.5-1.5b": ("qwen2", 1536, 8960, 28, 12, 2, 128, 151_936, True),
    "qwen2.5-3b": ("qwen2", 2048, 11_008, 36, 16, 2, 128, 151_936, True),
    "qwen2.5-7b": ("qwen2", 3584, 18_944, 28, 28, 4, 128, 152_064, False),
    "qwen2.5-14b": ("qwen2", 5120, 13_824, 48, 40, 8, 128, 152_064, False),
    "qwen2.5-32b": ("qwen2", 5120, 27_648, 64, 40, 8, 128, 152_064, False),
    "qwen3-0.6b": ("qwen3", 1024, 3072, 28, 16, 8, 128, 151_936, True),
    "qwen3-1.7b": ("qwen3", 2048, 6144, 28, 16, 8, 128, 151_936, True),
    "qwen3-4b": ("qwen3", 2560, 9728, 36, 32, 8, 128, 151_936, True),
    "qwen3-8b": ("qwen3", 4096, 12_288, 36, 32, 8, 128, 151_936, False),
    "llama-3-8b": ("llama", 4096, 14_336, 32, 32, 8, 128, 128_256, False),
    "llama-3.1-8b": ("llama", 4096, 14_336, 32, 32, 8, 128, 128_256, False),
    "llama-3.2-1b": ("llama", 2048, 8192, 16, 32, 8, 64, 128_256, True),
    "llama-3.2-3b": ("llama", 3072, 8192, 28, 24, 8, 128, 128_256, True),
}
# The size ends the word, so that 7B is not found in 72B; mixtures of experts (30B-A3B) have rows of none.
_NAMED = re.compile(r"(qwen2\.5|qwen3|llama-3(?:\.\d)?)-(?:math-|coder-)?(\d+(?:\.\d+)?b)(?![\w.])", re.IGNORECASE)


def _named(repository: str) -> ModelShape | str:
    found = _NAMED.search(repository)
    row = _FAMILIES.get(f"{found[1]}-{found[2]}".lower()) if found else None
    if row is None:
        return f"{repository} is not in the Hub cache, and its name tells no size that is known here."
    # The context of the maths models is the one that takes by surprise; what others make of them may have another.
    context = 4096 if repository.startswith("Qwen/Qwen2.5-Math-") else None
    sizes = dict(zip(_COLUMNS, row, strict=True))
    return ModelShape.model_validate({**sizes, "context": context, "known_from": "name"})
