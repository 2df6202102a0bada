"""The chunked head beside full logits, peak memory and time: `python -m bench.lm_head [TOKENS VOCABULARY HIDDEN]`.

Forward and backward in float32 on the CPU, each in a process of its own: its peak resident memory minus what it held
with the inputs in place. Read the ratios. Full logits of the default size want some 15 GB.
"""

import resource
import subprocess
import sys
import time

import torch
from torch import Tensor

from trapo_core.lm_head import token_logps

TOKENS, VOCABULARY, HIDDEN = 8192, 151_936, 896


def full_logits(hidden_N_D: Tensor, weight_V_D: Tensor, targets_N: Tensor, temperature_N: Tensor) -> Tensor:
    """Log-probs as they are written down most often, without entropies."""
    logps_N_V = ((hidden_N_D @ weight_V_D.T) / temperature_N[:, None]).log_softmax(dim=-1)
    return logps_N_V.gather(1, targets_N[:, None]).squeeze(1)


def chunked(hidden_N_D: Tensor, weight_V_D: Tensor, targets_N: Tensor, temperature_N: Tensor) -> Tensor:
    return token_logps(hidden_N_D, weight_V_D, targets_N, temperature_N)[0]


def measure(name: str, tokens: int, vocabulary: int, hidden: int) -> None:
    """Prints peak bytes over the inputs and seconds of one forward and backward pass."""
    torch.manual_seed(0)
    # In place: a second copy made on the way would count as held.
    weight_V_D = torch.randn(vocabulary, hidden).mul_(hidden**-0.5).requires_grad_()
    hidden_N_D = torch.randn(tokens, hidden).requires_grad_()
    targets_N, temperature_N = torch.randint(vocabulary, (tokens,)), torch.full((tokens,), 0.9)
    (hidden_N_D[:8] @ weight_V_D[:8].T).sum().item()  # thread pools and libraries are no part of the figure
    held, began = peak_bytes(), time.perf_counter()
    {"chunked": chunked, "full": full_logits}[name](hidden_N_D, weight_V_D, targets_N, temperature_N).sum().backward()
    print(peak_bytes() - held, time.perf_counter() - began)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    size = [int(word) for word in sys.argv[1:]] or [TOKENS, VOCABULARY, HIDDEN]
    figures = {}
    for name in ("full", "chunked"):
        command = [sys.executable, __file__, name, *map(str, size)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        figures[name] = int(told[0]), float(told[1])
        print(f"{name:8} {figures[name][0] / 2**30:8.2f} GiB over the inputs {figures[name][1]:8.1f} s", flush=True)
    memory, seconds = (ours / full for ours, full in zip(figures["chunked"], figures["full"], strict=True))
    print(f"chunked / full: memory {memory:.3f} (1/{1 / memory:.1f}), time {seconds:.2f}")


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in ("full", "chunked"):
        measure(sys.argv[1], *map(int, sys.argv[2:]))
    else:
        main()
