"""How the trainer reads a packed stream: one module from token ids to log-probs.

It is a module, and the only way in, because sharded weights are whole only while it runs: the chunked head reads its
weight directly, where no hook of the head itself would gather it.
"""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from trapo_core.attention import Segments, packed_hidden
from trapo_core.lm_head import token_logps


class Reader(torch.nn.Module):
    """N tokens of the stream, M targets; each target's log-prob is read at `place_M`, the token before it."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids_N: Tensor, segments: Segments, place_M: Tensor, targets_M: Tensor, temperature_M: Tensor,
        *, recompute: bool = False,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """(log-prob, entropy in nats) of every target, M each, in float32 and with gradient."""
        hidden_N_D = packed_hidden(self.model, ids_N, segments, recompute=recompute)
        head = self.model.get_output_embeddings()
        return token_logps(hidden_N_D.index_select(0, place_M), head.weight, targets_M, temperature_M, bias_V=head.bias)
