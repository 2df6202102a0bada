"""Log-prob and entropy of given tokens from a language model's logits, in float32."""

from torch import Tensor


def token_logps(logits_N_V: Tensor, targets_N: Tensor, temperature_N: Tensor) -> tuple[Tensor, Tensor]:
    """(log-prob of each target at its temperature, with gradient; entropy of that distribution in nats, detached)."""
    logps_N_V = (logits_N_V.float() / temperature_N[:, None]).log_softmax(dim=-1)
    entropy_N = -(logps_N_V.detach().exp() * logps_N_V.detach()).sum(dim=-1)
    return logps_N_V.gather(1, targets_N[:, None]).squeeze(1), entropy_N
