"""The GPUs of this host, found without torch (it would claim memory on each). `runs/life/gpu_slots.py` knows whose."""

import os
import subprocess
from pathlib import Path

NVIDIA_PROC = Path("/proc/driver/nvidia/gpus")


def find_gpus(number: int | None = None) -> list[str]:
    """Ids for CUDA_VISIBLE_DEVICES: the first `number` indexes if given, those already chosen for this worker, else
    every GPU's UUID."""
    if number is not None:
        return [str(index) for index in range(number)]
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
