"""Attention over a packed stream: sequences laid end to end in one row, each of which sees only itself.

Every policy's model is given this implementation (`use_packed_attention`). It packs when the model is called through
`packed_hidden`; a call without segments, as engines make it, is the library's plain `sdpa`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.modeling_layers import GradientCheckpointingLayer

from trapo_core.errors import ModelError

NAME = "trapo"
# Segments at least so long, relative to the longest of a block, are padded to one block: measured, more padding costs
# more than it saves in calls. A mask over the whole stream takes 5 to 40 times as long as such blocks.
SIMILAR_LENGTH = 0.9
# What some models ask of attention and this one would leave out.
UNSUPPORTED = ("softcap", "s_aux", "position_bias")


@dataclass(frozen=True)
class Segments:
    """Where the sequences of a packed stream lie. N tokens, S segments, P slots of padded blocks.

    `positions_N` restart at 0; `bounds_S1` are the starts and the end (int32); `blocks` are (rows, width) of padded
    blocks of similar lengths, one after the other in P: `token_P` is the token that each slot reads (padding repeats
    its row's last), `slot_N` the slot that holds each token.
    """

    positions_N: Tensor
    bounds_S1: Tensor
    longest: int
    blocks: tuple[tuple[int, int], ...]
    token_P: Tensor
    slot_N: Tensor

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "Segments":
        """The segments of a stream of sequences of these lengths, each at least 1."""
        bounds = [0, *accumulate(lengths)]
        positions_N = torch.cat([torch.arange(length) for length in lengths])
        blocks, tokens, slots, end = [], [], torch.empty_like(positions_N), 0
        for members in _similar(lengths):
            length_B = torch.tensor([lengths[index] for index in members])
            start_B = torch.tensor([bounds[index] for index in members])
            column_T = torch.arange(lengths[members[0]])
            token_B_T = start_B[:, None] + torch.minimum(column_T, length_B[:, None] - 1)
            real = (column_T < length_B[:, None]).flatten().nonzero().squeeze(1)
            slots[token_B_T.flatten()[real]] = end + real
            blocks.append((len(members), len(column_T)))
            tokens.append(token_B_T.flatten())
            end += token_B_T.numel()
        return cls(
            positions_N, torch.tensor(bounds, dtype=torch.int32), max(lengths), tuple(blocks), torch.cat(tokens), slots
        )

    def to(self, device: torch.device) -> "Segments":
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Segments(**{**vars(self), **moved})


def use_packed_attention(model: PreTrainedModel) -> None:
    """Give `model` this file's attention; without segments it goes on as with `sdpa`."""
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def packed_hidden(model: PreTrainedModel, ids_N: Tensor, segments: Segments, *, recompute: bool = False) -> Tensor:
    """hidden_N_D, what the head of a causal language model reads, for each token of a packed stream.

    With `recompute` the layers' activations are not kept but computed again in the backward pass (gradient
    checkpointing), whatever mode the model is in. Raises ModelError if it has no layers that allow it.
    """
    layers: AbstractContextManager[None] = _recomputed_layers(model) if recompute else nullcontext()
    with layers:
        out = model.get_decoder()(
            input_ids=ids_N[None],
            # Four axes: the library takes it for a finished mask and builds none. Nobody reads it.
            attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=ids_N.device),
            position_ids=segments.positions_N[None],
            use_cache=False,
            segments=segments,
        )
    hidden_N_D: Tensor = out.last_hidden_state[0]
    return hidden_N_D


@contextmanager
def _recomputed_layers(model: PreTrainedModel) -> Iterator[None]:
    """The library recomputes in training mode only, where dropout acts too; so its layers are wrapped here."""
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise ModelError("this model's layers cannot be recomputed.", "Set gradient_checkpointing to false.")
    for layer in layers:
        # Nothing random happens in a layer, so no random state has to be kept.
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    segments: Segments | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """The library's interface: query, key, value of shape (batch, heads, tokens, width) to (batch, tokens, heads,
    width). Raises ModelError for attention of a kind that segments do not support."""
    if segments is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    if unknown := [name for name in UNSUPPORTED if options.get(name) is not None]:
        raise ModelError(f"attention with {unknown[0]} cannot be packed.", "Choose a model without it.")
    if options.get("dropout"):
        raise ModelError("packed attention has no dropout.", "Call model.eval() first.")
    dtype = torch.get_autocast_dtype(query.device.type) if torch.is_autocast_enabled(query.device.type) else value.dtype
    query_N_H_D, key_N_K_D, value_N_K_D = (tensor[0].transpose(0, 1).to(dtype) for tensor in (query, key, value))
    attend = attend_varlen if _has_varlen(query_N_H_D) else attend_blocks
    scale, window = options.get("scaling"), options.get("sliding_window")
    return attend(query_N_H_D, key_N_K_D, value_N_K_D, segments, scale=scale, window=window)[None], None


def attend_varlen(
    query_N_H_D: Tensor, key_N_K_D: Tensor, value_N_K_D: Tensor, segments: Segments,
    *, scale: float | None, window: int | None,
) -> Tensor:  # fmt: skip
    """out_N_H_D by torch's kernel for sequences of unequal length."""
    bounds, longest = segments.bounds_S1, segments.longest
    out_N_H_D = varlen_attn(
        query_N_H_D, key_N_K_D, value_N_K_D, bounds, bounds, longest, longest,
        scale=scale, window_size=(-1 if window is None else window - 1, 0), enable_gqa=True,
    )  # fmt: skip
    assert isinstance(out_N_H_D, Tensor)  # a pair only where auxiliary results are asked for
    return out_N_H_D


def attend_blocks(
    query_N_H_D: Tensor, key_N_K_D: Tensor, value_N_K_D: Tensor, segments: Segments,
    *, scale: float | None, window: int | None,
) -> Tensor:  # fmt: skip
    """out_N_H_D by causal attention on padded blocks. Padding lies on the right, where no token of its row looks."""
    sizes = [rows * width for rows, width in segments.blocks]
    gathered = [
        tensor.index_select(0, segments.token_P).split(sizes) for tensor in (query_N_H_D, key_N_K_D, value_N_K_D)
    ]
    outs = []
    for shape, *block in zip(segments.blocks, *gathered, strict=True):
        query_B_H_T_D, key_B_K_T_D, value_B_K_T_D = (tensor.unflatten(0, shape).transpose(1, 2) for tensor in block)
        mask_T_T = _window_mask(shape[1], window, query_N_H_D.device)
        out_B_H_T_D = scaled_dot_product_attention(
            query_B_H_T_D, key_B_K_T_D, value_B_K_T_D,
            attn_mask=mask_T_T, is_causal=mask_T_T is None, scale=scale, enable_gqa=True,
        )  # fmt: skip
        outs.append(out_B_H_T_D.transpose(1, 2).flatten(0, 1))
    return torch.cat(outs).index_select(0, segments.slot_N)


def _window_mask(width: int, window: int | None, device: torch.device) -> Tensor | None:
    """True where token t may look at s, t - window < s <= t; None where that is all the past."""
    if window is None or window >= width:
        return None
    return torch.ones(width, width, dtype=torch.bool, device=device).tril().triu(1 - window)


def _has_varlen(query_N_H_D: Tensor) -> bool:
    """Torch's kernel wants half precision, an Ampere GPU or newer, and heads of a multiple of 8 up to 256."""
    width = query_N_H_D.shape[-1]
    return (
        query_N_H_D.is_cuda
        and query_N_H_D.dtype in (torch.float16, torch.bfloat16)
        and width % 8 == 0
        and width <= 256
        and torch.cuda.get_device_capability(query_N_H_D.device) >= (8, 0)
    )


def _similar(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of segments of similar length, the longest of each block first."""
    blocks: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if blocks and lengths[index] >= SIMILAR_LENGTH * lengths[blocks[-1][0]]:
            blocks[-1].append(index)
        else:
            blocks.append([index])
    return blocks
