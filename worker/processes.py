"""Training processes, from outside: started in their own session, ended with their whole group."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import psutil

from runs.files import log_path
from runs.life.leases import Lease
from runs.settings import Settings
from trapo_core.errors import BusyError

CLOCK_S = 1.0  # by which two readings of one start time may differ
# What a training process may know of the worker's environment; the service's own secrets are not on the list.
ALLOWED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "XDG_CACHE_HOME",
        "TRITON_CACHE_DIR",
        "HF_HOME",
        "HF_TOKEN",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HF_HUB_CACHE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",
        "CUDA_HOME",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "PYTORCH_CUDA_ALLOC_CONF",
        "TRAPO_VLLM",
        "TRAPO_VLLM_ARGS",
        "TRAPO_VLLM_WEIGHTS_DIR",
        "VLLM_API_KEY",
    }
)
ALLOWED_PREFIXES = ("LC_", "NCCL_", "NVIDIA_", "WANDB_", "MLFLOW_", "TRACKIO_")


def environment(settings: Settings, given: Mapping[str, str], gpu_ids: Sequence[str] | None) -> dict[str, str]:
    """The environment of a training process. `gpu_ids` None leaves the choice of GPUs as it is."""
    made = {name: value for name, value in given.items() if name in ALLOWED or name.startswith(ALLOWED_PREFIXES)}
    made |= {
        "TRAPO_DATA_DIR": str(settings.data_root),
        "TRAPO_MODELS_DIR": str(settings.models_root),
        # Its stdin is a pipe that ends when we do: then it shall save and stop.
        "TRAPO_STOP_ON_STDIN_EOF": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if settings.cpu_threads or settings.slots > 1:
        # Runs side by side share the cores; each taking all of them would slow every one down.
        made["OMP_NUM_THREADS"] = str(settings.cpu_threads or max(1, (os.cpu_count() or 1) // settings.slots))
    if gpu_ids is not None:
        # Indexes are those of nvidia-smi, not CUDA's own order by speed.
        made |= {"CUDA_VISIBLE_DEVICES": ",".join(gpu_ids), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return made


def start(lease: Lease, run_dir: Path, settings: Settings, gpu_ids: Sequence[str] | None) -> subprocess.Popen[bytes]:
    """The process of one attempt. Its output goes to a file: nobody has to read it for the training to go on."""
    path = log_path(run_dir, lease.attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [*settings.training_command, str(run_dir), "--attempt", str(lease.attempt)]
    with path.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment(settings, os.environ, gpu_ids),
        )


def end_of(process: subprocess.Popen[bytes]) -> Event:
    """Set as soon as it has ended. To wait for one with a time limit, Python looks 20 times a second."""
    ended = Event()

    def wait() -> None:
        process.wait()
        ended.set()

    Thread(target=wait, name="end", daemon=True).start()
    return ended


def started_at(pid: int) -> float:
    """What tells a process from a later one with the same pid."""
    return psutil.Process(pid).create_time()


def kill_group(pid: int) -> None:
    """The process and all it started; it leads its own session, so its pid is its group's id."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_earlier(pid: int, pid_started_at: float, wait_s: float = 10.0) -> bool:
    """Kill what an earlier attempt left running on this host; False if that was nothing. A process that is killed and
    does not go, as one that waits for a GPU's driver, is a BusyError: it may hold the GPU still."""
    found, end = False, monotonic() + wait_s
    while left := _left_of(pid, pid_started_at):
        found = True
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if monotonic() > end:
            pids = ", ".join(str(process.pid) for process in left)
            raise BusyError(
                f"An earlier attempt's processes ({pids}) are there {wait_s:g} s after they were killed.",
                "If they stay, start the host again.",
            )
        sleep(0.05)  # looking again finds what they started meanwhile
    return found


def _left_of(pid: int, pid_started_at: float) -> list[psutil.Process]:
    """Who is alive of the session that a process of ours led, also when the leader is gone: a rank, a managed vLLM. The
    number of a session is no other process's while somebody is in it, so whoever has it and began at another time says
    that ours are gone; and nothing outlives the host's start."""
    if pid_started_at < psutil.boot_time() - CLOCK_S or pid in (os.getsid(0), os.getpgrp()):
        return []
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):  # it has just ended
            if pid not in (os.getsid(process.pid), os.getpgid(process.pid)):
                continue
            later_s = process.create_time() - pid_started_at
            if later_s < -CLOCK_S or (process.pid == pid and later_s > CLOCK_S):
                return []
            if process.status() != psutil.STATUS_ZOMBIE and process.uids().real == os.getuid():
                left.append(process)
    return left
