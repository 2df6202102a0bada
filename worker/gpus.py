"""The GPUs of this host, found without torch (which would claim memory on each), and who holds which."""

import os
import subprocess
from pathlib import Path
from threading import Lock

NVIDIA_PROC = Path("/proc/driver/nvidia/gpus")


def find_gpus() -> list[str]:
    """Ids for CUDA_VISIBLE_DEVICES: those already chosen for this worker, else every GPU's UUID."""
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu.strip() for gpu in chosen.split(",") if gpu.strip() not in ("", "-1")]
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return [str(index) for index, _ in enumerate(NVIDIA_PROC.glob("*"))]
    return answer.stdout.split()


class GpuPool:
    """Hands out GPUs so that two runs never share one."""

    def __init__(self, gpus: list[str]) -> None:
        self.size = len(gpus)
        self._free = list(gpus)
        self._lock = Lock()

    def take(self, wanted: int | None) -> list[str] | None:
        """`wanted` GPUs; without a wish one if the host has any. None if so many are not free now."""
        count = min(1, self.size) if wanted is None else wanted
        with self._lock:
            if count > len(self._free):
                return None
            taken, self._free = self._free[:count], self._free[count:]
            return taken

    def give_back(self, gpus: list[str]) -> None:
        with self._lock:
            self._free += gpus
