"""Log-prob and entropy of given tokens straight from hidden states: the head and its softmax, a chunk at a time.

The logits of a step are the largest tensor of training (8,192 tokens of a 151,936-token vocabulary: 5 GB a copy).
Here no more than one chunk of them exists; the backward pass makes each chunk anew.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

# Bound on the float32 logits of one chunk; two to three such buffers live at once. Large enough that the products
# keep a GPU busy, and that a small vocabulary takes one chunk.
CHUNK_BYTES = 1 << 28


def token_logps(
    hidden_N_D: Tensor,
    weight_V_D: Tensor,
    targets_N: Tensor,
    temperature_N: Tensor,
    *,
    bias_V: Tensor | None = None,
    chunk_tokens: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(log-prob of each target, entropy in nats of the distribution that it is drawn from), N each.

    The distribution is softmax((hidden·weight + bias) / temperature). Both results are float32 (float64 for float64
    input) and differentiable in hidden, weight and bias; whoever wants no gradient costs none. Under autocast the
    product is taken in its dtype, the softmax in float32. By default a chunk holds at most CHUNK_BYTES of logits.
    """
    chunk = chunk_tokens or max(1, CHUNK_BYTES // (4 * len(weight_V_D)))
    logp_N, entropy_N = _TokenLogps.apply(hidden_N_D, weight_V_D, bias_V, targets_N, temperature_N, chunk)
    return logp_N, entropy_N


class _TokenLogps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_N_D: Tensor,
        weight_V_D: Tensor,
        bias_V: Tensor | None,
        targets_N: Tensor,
        temperature_N: Tensor,
        chunk: int,
    ) -> tuple[Tensor, Tensor]:
        ctx.dtype, ctx.chunk = _product_dtype(weight_V_D), chunk
        head = _Head(weight_V_D, bias_V, ctx.dtype)
        logp_N = hidden_N_D.new_empty(len(targets_N), dtype=_softmax_dtype(ctx.dtype))
        log_norm_N, entropy_N = torch.empty_like(logp_N), torch.empty_like(logp_N)
        for part in _chunks(len(targets_N), chunk):
            logps_C_V = head.scaled_logits(hidden_N_D[part], temperature_N[part])
            log_norm_N[part] = logps_C_V.logsumexp(dim=-1)
            logps_C_V -= log_norm_N[part, None]
            logp_N[part] = logps_C_V.gather(1, targets_N[part, None]).squeeze(1)
            entropy_N[part] = -logps_C_V.exp().mul_(logps_C_V).sum(dim=-1)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(hidden_N_D, weight_V_D, bias_V, targets_N, temperature_N, log_norm_N, entropy_N)
        return logp_N, entropy_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_logp_N: Tensor | None, grad_entropy_N: Tensor | None) -> tuple[Tensor | None, ...]:
        hidden_N_D, weight_V_D, bias_V, targets_N, temperature_N, log_norm_N, entropy_N = ctx.saved_tensors
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        grad_logp_N = torch.zeros_like(log_norm_N) if grad_logp_N is None else grad_logp_N
        hidden_grad_N_D = torch.empty_like(hidden_N_D) if wants_hidden else None
        weight_grad_V_D = torch.zeros_like(weight_V_D) if wants_weight else None
        bias_grad_V = torch.zeros_like(bias_V) if wants_bias else None
        head = _Head(weight_V_D, bias_V, ctx.dtype)
        for part in _chunks(len(targets_N), ctx.chunk):
            logps_C_V = head.scaled_logits(hidden_N_D[part], temperature_N[part]).sub_(log_norm_N[part, None])
            grad_C_V = _logits_gradient(
                logps_C_V,
                targets_N[part],
                entropy_N[part],
                grad_logp_N[part],
                None if grad_entropy_N is None else grad_entropy_N[part],
            )
            del logps_C_V
            grad_C_V.div_(temperature_N[part, None])
            if bias_grad_V is not None:
                bias_grad_V += grad_C_V.sum(dim=0)
            grad_C_V = grad_C_V.to(ctx.dtype)
            if hidden_grad_N_D is not None:
                hidden_grad_N_D[part] = grad_C_V @ head.weight_V_D
            if weight_grad_V_D is not None:
                _add_product(weight_grad_V_D, grad_C_V.T, hidden_N_D[part].to(ctx.dtype))
        return hidden_grad_N_D, weight_grad_V_D, bias_grad_V, None, None, None


class _Head:
    """The head's weights in the dtype of its product, cast once for all chunks."""

    def __init__(self, weight_V_D: Tensor, bias_V: Tensor | None, dtype: torch.dtype) -> None:
        self.weight_V_D = weight_V_D.to(dtype)
        self._bias_V = None if bias_V is None else bias_V.to(dtype)

    def scaled_logits(self, hidden_C_D: Tensor, temperature_C: Tensor) -> Tensor:
        """Logits over temperature, in a buffer of the caller's own."""
        dtype = self.weight_V_D.dtype
        logits_C_V = linear(hidden_C_D.to(dtype), self.weight_V_D, self._bias_V)
        return logits_C_V.to(_softmax_dtype(dtype)).div_(temperature_C[:, None])


def _logits_gradient(
    logps_C_V: Tensor, targets_C: Tensor, entropy_C: Tensor, grad_logp_C: Tensor, grad_entropy_C: Tensor | None
) -> Tensor:
    """Gradient by the scaled logits s; writes over `logps_C_V`.

    d logp_t / d s_k = [k = t] - p_k and d H / d s_k = -p_k (log p_k + H).
    """
    grad_C_V = logps_C_V.exp()
    if grad_entropy_C is None:
        grad_C_V *= -grad_logp_C[:, None]
    else:
        grad_C_V *= logps_C_V.add_(entropy_C[:, None]).mul_(-grad_entropy_C[:, None]).sub_(grad_logp_C[:, None])
    return grad_C_V.scatter_add_(1, targets_C[:, None], grad_logp_C[:, None])


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right; sums of half-precision chunks are kept in the total's own dtype."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def _product_dtype(weight: Tensor) -> torch.dtype:
    kind = weight.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


def _softmax_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(begin, begin + size) for begin in range(0, count, size))
