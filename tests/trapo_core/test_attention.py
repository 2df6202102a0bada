"""The packed stream: each sequence as if it were alone, whatever lies beside it, and without any mask of N by N."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from trapo_core.attention import (
    NAME,
    Segments,
    attend_blocks,
    attend_varlen,
    packed_hidden,
    use_packed_attention,
)
from trapo_core.errors import ModelError

LENGTHS = (9, 3, 14, 8, 1, 14)
SMALL: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": 64, "initializer_range": 0.2,
}  # fmt: skip
MODELS = {
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "grouped queries": (Qwen2ForCausalLM, Qwen2Config, {"num_key_value_heads": 2}),
    "one key head": (LlamaForCausalLM, LlamaConfig, {"num_key_value_heads": 1}),
    "sliding window": (MistralForCausalLM, MistralConfig, {"sliding_window": 5}),
    "some sliding layers": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    ),
}


def small_model(name: str, **changes: Any) -> PreTrainedModel:
    """A random model in which attention matters, with packed attention."""
    kind, config, own = MODELS[name]
    torch.manual_seed(0)
    model: PreTrainedModel = kind(config(**SMALL | own | changes)).eval()
    use_packed_attention(model)
    return model


def stream(lengths: Sequence[int] = LENGTHS) -> tuple[Tensor, Segments]:
    return torch.randint(50, (sum(lengths),), generator=torch.Generator().manual_seed(1)), Segments.of(lengths)


def loss_of(hidden_N_D: Tensor) -> Tensor:
    """A loss to which every number counts differently."""
    return (hidden_N_D * torch.linspace(-1, 1, hidden_N_D.numel()).view_as(hidden_N_D)).mean()


def gradients(model: PreTrainedModel, loss: Tensor) -> list[Tensor]:
    wanted = list(model.get_decoder().parameters())
    return list(torch.autograd.grad(loss, wanted))


@pytest.mark.parametrize("name", MODELS)
def test_a_packed_sequence_is_as_if_alone(name: str) -> None:
    model = small_model(name)
    ids_N, segments = stream()
    packed = packed_hidden(model, ids_N, segments)
    alone = torch.cat(
        [model.get_decoder()(input_ids=ids_T[None]).last_hidden_state[0] for ids_T in ids_N.split(LENGTHS)]
    )
    torch.testing.assert_close(packed, alone, atol=2e-6, rtol=2e-6)
    assert loss_of(packed).item() == pytest.approx(loss_of(alone).item(), abs=1e-6)
    for mine, theirs in zip(gradients(model, loss_of(packed)), gradients(model, loss_of(alone)), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-6)


def test_the_order_of_the_stream_does_not_matter() -> None:
    model = small_model("qwen2")
    ids_N, segments = stream()
    parts = ids_N.split(LENGTHS)
    order = [3, 0, 5, 1, 4, 2]
    shuffled = packed_hidden(
        model, torch.cat([parts[i] for i in order]), Segments.of([LENGTHS[i] for i in order])
    ).split([LENGTHS[i] for i in order])
    there = packed_hidden(model, ids_N, segments).split(LENGTHS)
    for place, index in enumerate(order):
        torch.testing.assert_close(shuffled[place], there[index], atol=2e-6, rtol=2e-6)


def test_without_segments_it_is_sdpa_to_the_bit() -> None:
    packing, plain = small_model("grouped queries"), small_model("grouped queries")
    plain.set_attn_implementation("sdpa")
    ids_B_T = torch.randint(50, (3, 7), generator=torch.Generator().manual_seed(2))
    left_padded = torch.ones_like(ids_B_T)
    left_padded[0, :3] = 0
    for mask in (None, left_padded):
        assert torch.equal(
            packing(input_ids=ids_B_T, attention_mask=mask).logits, plain(input_ids=ids_B_T, attention_mask=mask).logits
        )
    asked = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    assert torch.equal(packing.generate(ids_B_T, **asked), plain.generate(ids_B_T, **asked))
    assert packing.config._attn_implementation == NAME


class LargestTensor(TorchDispatchMode):
    """Numbers in the largest tensor that any operation made."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.numel = max(self.numel, *made, 0)
        return out


@pytest.mark.parametrize("name", ["qwen2", "llama", "some sliding layers"])
def test_no_tensor_grows_with_the_square_of_the_stream(name: str) -> None:
    model = small_model(name)
    ids_N, segments = stream([8] * 200)
    with LargestTensor() as largest, torch.no_grad():
        packed_hidden(model, ids_N, segments)
    assert largest.numel < 100 * len(ids_N)


def test_blocks_hold_every_token_once_and_little_padding() -> None:
    segments = Segments.of(LENGTHS)
    assert segments.query_P[segments.slot_N].tolist() == list(range(sum(LENGTHS)))
    assert segments.positions_N[:12].tolist() == [*range(9), *range(3)]
    assert segments.query_bounds_S1.tolist() == segments.key_bounds_S1.tolist() == [0, 9, 12, 26, 34, 35, 49]
    mixed = Segments.of(range(1, 300))
    pairs = sum(rows * width * height for rows, width, height in mixed.blocks)
    assert pairs < 1.3 * sum(length * length for length in range(1, 300))


# Two prompts; two samples of the first, a prefix that goes on from it with two samples and a longer prefix.
# The last sequence has a past and fits one padded block with the one before, which has none.
TREE_LENGTHS = (7, 3, 5, 4, 2, 6, 3, 9, 1, 10, 2, 8)
TREE_PARENTS = (None, 0, 0, 0, 3, 3, 3, None, 7, None, None, 10)


def branches() -> list[list[int]]:
    """The segments of each sequence, from its first ancestor on."""
    paths: list[list[int]] = []
    for index, parent in enumerate(TREE_PARENTS):
        paths.append([*(paths[parent] if parent is not None else []), index])
    return paths


@pytest.mark.parametrize("name", MODELS)
def test_what_sequences_share_is_as_if_each_had_its_own(name: str) -> None:
    model = small_model(name)
    ids_N, _ = stream(TREE_LENGTHS)
    parts = ids_N.split(TREE_LENGTHS)
    shared = packed_hidden(model, ids_N, Segments.of(TREE_LENGTHS, TREE_PARENTS)).split(TREE_LENGTHS)
    together, apart = [], []
    for path in branches():
        ids_T = torch.cat([parts[index] for index in path])
        apart.append(model.get_decoder()(input_ids=ids_T[None]).last_hidden_state[0])
        together.append(torch.cat([shared[index] for index in path]))
    for mine, theirs in zip(together, apart, strict=True):
        torch.testing.assert_close(mine, theirs, atol=3e-6, rtol=3e-6)
    losses = [loss_of(torch.cat(hidden)) for hidden in (together, apart)]
    for mine, theirs in zip(*(gradients(model, loss) for loss in losses), strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-6, rtol=1e-5)


def test_a_model_that_asks_for_more_than_attention_is_refused() -> None:
    model = small_model("qwen2")
    ids_N, segments = stream()
    with pytest.raises(ModelError, match="softcap"):
        model.get_decoder()(
            input_ids=ids_N[None], attention_mask=torch.ones(1, 1, 1, 1), segments=segments, softcap=30.0
        )
    dropping = small_model("qwen2", attention_dropout=0.1).train()
    with pytest.raises(ModelError, match=r"model\.eval"):
        packed_hidden(dropping, ids_N, segments)


# ---------------------------------------------------------------------------------------------- gradient checkpointing


def kept_bytes(model: PreTrainedModel, *, recompute: bool) -> tuple[int, Tensor]:
    """Bytes of distinct activations that wait for the backward pass, and the loss."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = loss_of(packed_hidden(model, *stream(), recompute=recompute))
    return sum(kept.values()), loss


@pytest.mark.parametrize("name", ["qwen2", "llama"])
def test_recomputed_activations_give_the_same_gradients_and_are_not_kept(name: str) -> None:
    model = small_model(name, num_hidden_layers=4)
    assert not model.training
    bytes_, loss = kept_bytes(model, recompute=False)
    fewer, again = kept_bytes(model, recompute=True)
    assert again.item() == loss.item()
    for mine, theirs in zip(gradients(model, again), gradients(model, loss), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-7, rtol=1e-6)
    assert fewer < bytes_ / 3


def test_after_recomputing_the_model_samples_with_its_cache_as_before() -> None:
    model = small_model("qwen2")
    ids = torch.tensor([[1, 2, 3]])
    before = model.generate(ids, max_new_tokens=5, do_sample=False, pad_token_id=0)
    loss_of(packed_hidden(model, *stream(), recompute=True)).backward()
    assert not any("forward" in vars(module) for module in model.modules())
    assert torch.equal(model.generate(ids, max_new_tokens=5, do_sample=False, pad_token_id=0), before)


def test_recomputing_inside_autocast_gives_the_same_half_precision() -> None:
    model = small_model("qwen2")
    grads = []
    for recompute in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            hidden = packed_hidden(model, *stream(), recompute=recompute)
        grads.append(gradients(model, loss_of(hidden.float())))
    for mine, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_model_whose_layers_cannot_be_recomputed_is_refused() -> None:
    class Bare(torch.nn.Module):
        pass

    with pytest.raises(ModelError, match="gradient_checkpointing"):
        packed_hidden(Bare(), *stream(), recompute=True)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------- on a GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize(("lengths", "parents"), [(LENGTHS, None), (TREE_LENGTHS, TREE_PARENTS)])
def test_the_kernel_for_unequal_lengths_agrees_with_padded_blocks(
    key_heads: int, window: int | None, lengths: Sequence[int], parents: Sequence[int | None] | None
) -> None:
    device = torch.device("cuda")
    segments = Segments.of(lengths, parents).to(device)
    inputs = [torch.randn(sum(lengths), heads, 16, device=device) for heads in (4, key_heads, key_heads)]
    weights_N_H_D = torch.randn_like(inputs[0])
    found = []
    for attend, dtype in ((attend_varlen, torch.bfloat16), (attend_blocks, torch.float32)):
        leaves = [tensor.to(dtype, copy=True).requires_grad_() for tensor in inputs]
        out_N_H_D = attend(*leaves, segments, scale=0.25, window=window)
        grads = torch.autograd.grad((out_N_H_D.float() * weights_N_H_D).sum(), leaves)
        found.append([out_N_H_D, *grads])
    for mine, theirs in zip(*found, strict=True):
        assert (mine.float() - theirs).norm() <= 0.02 * theirs.norm()
