"""What a device can do at most, and how much of it training and sampling reach. Vendor data sheets, dense figures."""

from dataclasses import dataclass
from typing import Literal

DeviceName = Literal["h100", "a100", "l40s", "rtx4090", "cpu"]

Range = tuple[float, float]

# Share of the peak that an update reaches, pessimistic first. Published for H100 at long context (prime-rl's
# BENCHMARKS): 11 % with 0.6B parameters on one GPU, 14 % with 4B on eight, 35 % with 4B at 65k context.
PRODUCT_SHARE: Range = (0.1, 0.35)
# Share of the memory's bandwidth that a pass of decoding reaches: plain torch kernels, without paged attention.
BANDWIDTH_SHARE: Range = (0.3, 0.7)
# Seconds of the host for one layer in one pass, when kernels are started one by one: 30 to 40 of them at 5 to 30 µs.
# Small models are bound by it, in decoding also large ones.
LAYER_HOST_S: Range = (2e-4, 1.2e-3)


@dataclass(frozen=True)
class Device:
    """Memory in bytes (None: the host's, which is not known here), bytes a second from memory, operations a second in
    matrix products of each dtype, the share of these that is reached, pessimistic first, and `LAYER_HOST_S`. float32 is
    without TensorFloat-32, as torch has it."""

    title: str
    memory: int | None
    bandwidth: float
    bfloat16_flops: float
    float32_flops: float
    product_share: Range = PRODUCT_SHARE
    layer_host_s: Range = LAYER_HOST_S

    def flops(self, dtype: str) -> float:
        return self.bfloat16_flops if dtype == "bfloat16" else self.float32_flops


DEVICES: dict[str, Device] = {
    "h100": Device("H100 80 GB", 80 * 10**9, 3.35e12, 989e12, 67e12),  # SXM
    "a100": Device("A100 80 GB", 80 * 10**9, 2.04e12, 312e12, 19.5e12),  # SXM
    "l40s": Device("L40S 48 GB", 48 * 10**9, 0.864e12, 362e12, 91.6e12),
    "rtx4090": Device("RTX 4090 24 GB", 24 * 10**9, 1.008e12, 165e12, 82.6e12),
    # Two cores of a server at their nominal rate, shared with others. Measured (bench/RESULTS.md): 3 % of the products
    # in decoding to 35 % in updates.
    "cpu": Device("CPU", None, 20e9, 0.3e12, 0.3e12, product_share=(0.03, 0.35), layer_host_s=(2e-4, 2e-3)),
}
