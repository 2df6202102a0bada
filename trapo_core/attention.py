"""Attention over a packed stream: sequences end to end in one row, each of which sees itself and what it continues.

A segment may have a parent: then it goes on where the parent ends. The samples of a problem share the segment of its
prompt, and nested expert prefixes share theirs, so that what is common is computed once, forward and backward.

Every policy's model is given this implementation (`use_packed_attention`). It packs when the model is called through
`packed_hidden`; a call without segments, as engines make it, is the library's plain `sdpa`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
# A padded block holds at most so many times the query-key pairs that its segments need: measured, more padding costs
# more than it saves in calls. A mask over the whole stream takes 5 to 40 times as long as such blocks.
PADDING = 1.25
# What some models ask of attention and this one would leave out.
UNSUPPORTED = ("softcap", "s_aux", "position_bias")


@dataclass(frozen=True)
class Segments:
    """Where the sequences of a packed stream lie. N tokens, S segments; K keys: what each segment sees, end to end.

    `positions_N` count from the beginning of the first ancestor. `query_bounds_S1` and `key_bounds_S1` are the starts
    and the end of the segments among tokens and keys (int32), `key_K` is the token of each key. `blocks` are (rows,
    queries, keys) of padded blocks of similar segments: `query_P` and `key_Q` are the tokens that their slots read
    (padding repeats the last of its row), `past_R` how much each row sees before its own, `slot_N` the slot that holds
    each token.
    """

    positions_N: Tensor
    query_bounds_S1: Tensor
    key_bounds_S1: Tensor
    longest: tuple[int, int]
    key_K: Tensor
    blocks: tuple[tuple[int, int, int], ...]
    query_P: Tensor
    key_Q: Tensor
    past_R: Tensor
    slot_N: Tensor

    @classmethod
    def of(cls, lengths: Sequence[int], parents: Sequence[int | None] | None = None) -> "Segments":
        """The segments of a stream, of these lengths, each at least 1; a parent (by index) comes before its child."""
        bounds = [0, *accumulate(lengths)]
        seen: list[Tensor] = []  # the tokens that each segment sees, its own at the end
        for index, parent in enumerate(parents or [None] * len(lengths)):
            own = torch.arange(bounds[index], bounds[index + 1])
            seen.append(own if parent is None else torch.cat([seen[parent], own]))
        keys = [len(tokens) for tokens in seen]
        past = [key - length for key, length in zip(keys, lengths, strict=True)]
        blocks, query_P, key_Q, past_R, end = [], [], [], [], 0
        slot_N = torch.empty(bounds[-1], dtype=torch.long)
        for members in _similar(lengths, keys):
            width, height = max(lengths[i] for i in members), max(keys[i] for i in members)
            query_P += [_padded(seen[i][past[i] :], width) for i in members]
            key_Q += [_padded(seen[i], height) for i in members]
            past_R += [past[i] for i in members]
            for index in members:
                slot_N[bounds[index] : bounds[index + 1]] = torch.arange(end, end + lengths[index])
                end += width
            blocks.append((len(members), width, height))
        return cls(
            positions_N=torch.cat([torch.arange(begin, key) for begin, key in zip(past, keys, strict=True)]),
            query_bounds_S1=torch.tensor(bounds, dtype=torch.int32),
            key_bounds_S1=torch.tensor([0, *accumulate(keys)], dtype=torch.int32),
            longest=(max(lengths), max(keys)),
            key_K=torch.cat(seen),
            blocks=tuple(blocks),
            query_P=torch.cat(query_P),
            key_Q=torch.cat(key_Q),
            past_R=torch.tensor(past_R),
            slot_N=slot_N,
        )

    def to(self, device: torch.device) -> "Segments":
        moved: dict[str, Any] = {n: v.to(device) for n, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    @cached_property
    def masks(self) -> list[Tensor | None]:
        """For each block rows×1×queries×keys of what may be seen, or None where that is plainly causal."""
        found: list[Tensor | None] = []
        for (_, width, height), past_B in zip(self.blocks, self.past_R.split([b[0] for b in self.blocks]), strict=True):
            if not past_B.any():
                found.append(None)
                continue
            last_B_T = past_B[:, None] + torch.arange(width, device=past_B.device)
            found.append((torch.arange(height, device=past_B.device) <= last_B_T[:, :, None])[:, None])
        return found


def _padded(tokens: Tensor, length: int) -> Tensor:
    return torch.cat([tokens, tokens[-1:].expand(length - len(tokens))]) if len(tokens) < length else tokens


def _similar(lengths: Sequence[int], keys: Sequence[int]) -> list[list[int]]:
    """Indices of segments that fit one padded block."""
    blocks: list[list[int]] = []
    needed = width = height = 0
    for index in sorted(range(len(lengths)), key=lambda i: (-keys[i], -lengths[i])):
        pairs, own = lengths[index] * keys[index], lengths[index]
        padded = (len(blocks[-1]) + 1 if blocks else 1) * max(width, own) * height
        if blocks and padded <= PADDING * (needed + pairs):
            blocks[-1].append(index)
            needed, width = needed + pairs, max(width, own)
        else:
            blocks.append([index])
            needed, width, height = pairs, own, keys[index]
    return blocks


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
    # The kernel aligns the causal mask to the ends of queries and keys: the past of a segment is seen whole.
    out_N_H_D = varlen_attn(
        query_N_H_D, key_N_K_D.index_select(0, segments.key_K), value_N_K_D.index_select(0, segments.key_K),
        segments.query_bounds_S1, segments.key_bounds_S1, *segments.longest,
        scale=scale, window_size=(-1 if window is None else window - 1, 0), enable_gqa=True,
    )  # fmt: skip
    assert isinstance(out_N_H_D, Tensor)  # a pair only where auxiliary results are asked for
    return out_N_H_D


def attend_blocks(
    query_N_H_D: Tensor, key_N_K_D: Tensor, value_N_K_D: Tensor, segments: Segments,
    *, scale: float | None, window: int | None,
) -> Tensor:  # fmt: skip
    """out_N_H_D by causal attention on padded blocks. Padding lies on the right, where no token of its row looks."""
    queries = query_N_H_D.index_select(0, segments.query_P).split([rows * width for rows, width, _ in segments.blocks])
    sizes = [rows * height for rows, _, height in segments.blocks]
    keys = key_N_K_D.index_select(0, segments.key_Q).split(sizes)
    values = value_N_K_D.index_select(0, segments.key_Q).split(sizes)
    outs = []
    for number, (rows, width, height) in enumerate(segments.blocks):
        mask = _windowed(segments, number, window)
        out_B_H_T_D = scaled_dot_product_attention(
            queries[number].unflatten(0, (rows, width)).transpose(1, 2),
            keys[number].unflatten(0, (rows, height)).transpose(1, 2),
            values[number].unflatten(0, (rows, height)).transpose(1, 2),
            attn_mask=mask, is_causal=mask is None, scale=scale, enable_gqa=True,
        )  # fmt: skip
        outs.append(out_B_H_T_D.transpose(1, 2).flatten(0, 1))
    return torch.cat(outs).index_select(0, segments.slot_N)


def _windowed(segments: Segments, number: int, window: int | None) -> Tensor | None:
    """The mask of a block: a query at position t may see s, t - window < s <= t; None where that is all its past."""
    mask, (rows, width, height) = segments.masks[number], segments.blocks[number]
    if window is None or window >= height:
        return mask
    if mask is None:
        return torch.ones(width, height, dtype=torch.bool, device=segments.past_R.device).tril().triu(1 - window)
    first = sum(block[0] for block in segments.blocks[:number])
    last_B_T = segments.past_R[first : first + rows, None] + torch.arange(width, device=mask.device)
    return mask & (torch.arange(height, device=mask.device) > last_B_T[:, :, None] - window)[:, None]


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
