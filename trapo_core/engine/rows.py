"""Keys and values of many samples, one row each, behind transformers' cache interface.

One tensor holds all layers, so that what a problem's samples share is copied into their rows by one operation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin


@dataclass
class _Memory:
    """What the layers share. Not the cache itself: layers that knew it would make a circle, and its memory would wait
    for the garbage collector.

    store: 2 (keys, values) × layers × R rows × H key heads × S positions × D; the next forward pass writes at
    `positions_B_T` of the first B rows and reads `width` positions.
    """

    store: Tensor
    positions_B_T: Tensor
    width: int = 0


class Rows(Cache):  # type: ignore[misc]
    """R rows of S positions. `point` says where the next forward pass of the model writes and how far it reads."""

    def __init__(self, config: PreTrainedConfig, rows: int, length: int, *, dtype: torch.dtype, device: torch.device):
        heads = config.num_key_value_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        store = torch.zeros(2, config.num_hidden_layers, rows, heads, length, width, dtype=dtype, device=device)
        self._memory = _Memory(store, torch.zeros(0, 0, dtype=torch.long))
        self._window = getattr(config, "sliding_window", None)
        self._kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if self._window else ""])
        super().__init__(layers=[_Layer(self._memory, layer) for layer in range(config.num_hidden_layers)])

    @property
    def store(self) -> Tensor:
        return self._memory.store

    @property
    def rows(self) -> int:
        return self.store.shape[2]

    @property
    def length(self) -> int:
        return self.store.shape[4]

    def point(self, positions_B_T: Tensor, width: int) -> Tensor | dict[str, Tensor]:
        """Set the place of the next pass; the mask B×1×T×width of what its queries see: all up to themselves, or so
        many as a sliding window holds. A mask for each kind of layer where a model has several."""
        self._memory.positions_B_T, self._memory.width = positions_B_T, width
        columns = torch.arange(width, device=positions_B_T.device)
        full = (columns <= positions_B_T[:, :, None])[:, None]
        if "sliding_attention" not in self._kinds:
            return full
        assert self._window is not None
        near = full & (columns > positions_B_T[:, :, None] - self._window)[:, None]
        return near if len(self._kinds) == 1 else {"full_attention": full, "sliding_attention": near}

    def read(self, row: int, length: int) -> Tensor:
        """A copy of a row's first `length` positions: 2 × layers × H × length × D."""
        return self.store[:, :, row, :, :length].clone()

    def write(self, rows: Sequence[int], stem: Tensor) -> None:
        """Put the same keys and values at the beginning of all `rows`."""
        index = torch.tensor(rows, device=self.store.device)
        self.store[:, :, index, :, : stem.shape[3]] = stem[:, :, None]

    @torch.inference_mode()
    def move(self, source: int, target: int, length: int) -> None:
        self.store[:, :, target, :, :length] = self.store[:, :, source, :, :length]


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """The part of one layer, as the model sees it."""

    def __init__(self, memory: _Memory, index: int) -> None:
        super().__init__()
        self.is_initialized = True
        self._memory, self._index = memory, index

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        memory = self._memory
        rows_B_1 = torch.arange(key_states.shape[0], device=key_states.device)[:, None]
        seen = []
        for half, states_B_H_T_D in enumerate((key_states, value_states)):
            kept = memory.store[half, self._index]
            kept[rows_B_1, :, memory.positions_B_T] = states_B_H_T_D.transpose(1, 2).to(kept.dtype)
            seen.append(kept[: key_states.shape[0], :, : memory.width])
        return seen[0], seen[1]

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """The store is made whole."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:  # noqa: ARG002 - the library names it
        return self._memory.width, 0

    def get_seq_length(self) -> int:
        return self._memory.width

    def get_max_length(self) -> int:
        return self._memory.store.shape[4]

    get_max_cache_shape = get_max_length  # its name before transformers 5.20
