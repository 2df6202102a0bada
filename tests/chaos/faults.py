"""The faults, as one table, and the program that a seed makes of them."""

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
import redis
from sqlalchemy import text

from client import broker
from runs.queue import make_celery, ring
from tests.chaos.parts import WORKERS, Service

BROKEN = b'{"type": "step", "st'
SIGXFSZ_ROOM = 10


@dataclass(frozen=True)
class Fault:
    """`strike` says whom it hit, or None if there was nobody to hit. `database` None: on both."""

    name: str
    strike: Callable[[Service, Random], str | None]
    database: str | None = None
    long_only: bool = False


def kill_training(service: Service, random: Random) -> str | None:
    pid = some_training(service, random)
    return hit(pid, signal.SIGKILL) if pid else None


def kill_worker(service: Service, random: Random) -> str:
    name = random.choice(WORKERS)
    service.parts[name].kill()
    return name


def kill_workers(service: Service, random: Random) -> str:
    for name in WORKERS:
        service.parts[name].kill()
    return "both"


def stop_worker(service: Service, random: Random) -> str | None:
    name = random.choice(WORKERS)
    process = service.parts[name].process
    return hit(process.pid, signal.SIGTERM, name) if process and process.poll() is None else None


def freeze_worker(service: Service, random: Random) -> str:
    """Beyond its lease, so that the other one takes over before it wakes up."""
    name = random.choice(WORKERS)
    seconds = service.settings.lease_s * random.uniform(1.2, 3)
    service.freeze(name, seconds)
    return f"{name} for {seconds:.0f} s"


def kill_part(name: str, away_s: tuple[float, float] = (0.0, 0.5)) -> Callable[[Service, Random], str]:
    def strike(service: Service, random: Random) -> str:
        seconds = random.uniform(*away_s)
        service.parts[name].kill(seconds)
        return f"for {seconds:.1f} s"

    return strike


def freeze_part(name: str, seconds: float) -> Callable[[Service, Random], str]:
    def strike(service: Service, random: Random) -> str:
        service.freeze(name, seconds)
        return f"for {seconds:.0f} s"

    return strike


def wipe_redis(service: Service, random: Random) -> str | None:
    url = service.settings.redis_url.replace("redis+socket", "unix")
    with suppress(redis.ConnectionError, redis.TimeoutError):
        with redis.Redis.from_url(url, socket_timeout=1) as client:  # it may be frozen, and only we can thaw it
            client.flushall()
        return "all keys"
    return None


def ring_often(service: Service, random: Random) -> str | None:
    if not broker.answers(service.home / "redis.sock"):
        return None
    celery = make_celery(service.settings)
    rung = sum(ring(celery, random.choice(run_ids(service) or ["run_of_nobody"])) for _ in range(100))
    celery.close()
    return f"{rung} bells"


def break_last_line(service: Service, random: Random) -> str | None:
    """Killed in the middle of a write."""
    pid = some_training(service, random)
    if pid is None:
        return None
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        process = psutil.Process(pid)
        # Opened first: one that has told nothing yet must not be left suspended.
        with (folder_of(process) / "events.jsonl").open("r+b") as file:
            process.suspend()
            while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                time.sleep(0.01)
            file.seek(0, os.SEEK_END)
            file.write(BROKEN)
        return hit(pid, signal.SIGKILL)
    return None


def limit_files(service: Service, random: Random) -> str | None:
    """No file of this process may grow beyond what its events file has now and a few bytes: a write ends half-way."""
    pid = some_training(service, random)
    if pid is None:
        return None
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        process = psutil.Process(pid)
        limit = (folder_of(process) / "events.jsonl").stat().st_size + SIGXFSZ_ROOM
        process.rlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return f"process {pid}"
    return None


def fill_disk(service: Service, random: Random) -> str | None:
    """To the last byte, for some seconds; only where the home has a small disk of its own."""
    if not service.home.is_mount():
        return None
    filler = service.home / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)) == 1 << 16:
            assert shutil.disk_usage(service.home).total < 1 << 30
    seconds = random.uniform(1, 6)
    service.after(seconds, lambda: filler.unlink(missing_ok=True))
    return f"for {seconds:.1f} s"


def cut_connections(service: Service, random: Random) -> str:
    with service.engine.connect() as connection:
        query = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return f"{len(connection.execute(query).all())} connections"


FAULTS = (
    Fault("training process: kill -9", kill_training),
    Fault("worker (Celery, supervisors): kill -9", kill_worker),
    Fault("supervisor: SIGSTOP beyond its lease", freeze_worker),
    Fault("api: kill -9", kill_part("api")),
    Fault("Redis: kill -9", kill_part("redis")),
    Fault("Redis: FLUSHALL", wipe_redis),
    Fault("100 duplicate doorbells", ring_often),
    Fault("events.jsonl: broken last line", break_last_line),
    Fault("disk full for one process", limit_files),
    Fault("both workers: kill -9", kill_workers, long_only=True),
    Fault("worker: SIGTERM", stop_worker, long_only=True),
    Fault("Redis: away for 60 s", kill_part("redis", (60, 60)), long_only=True),
    Fault("Redis: SIGSTOP for 10 s", freeze_part("redis", 10), long_only=True),
    Fault("disk full for all", fill_disk, long_only=True),
    Fault("PostgreSQL: kill -9", kill_part("postgresql", (0.0, 3.0)), "postgresql", long_only=True),
    Fault("PostgreSQL: connections cut", cut_connections, "postgresql", long_only=True),
)


def program(seed: int, number: int, database: str, long: bool) -> list[tuple[Fault, bool]]:
    """Each kind in turn, every turn shuffled anew; and whether the next waits until the last is healed."""
    random = Random(seed)
    kinds = [fault for fault in FAULTS if fault.database in (None, database) and (long or not fault.long_only)]
    faults: list[Fault] = []
    while len(faults) < number:
        faults += random.sample(kinds, len(kinds))
    return [(fault, not long or random.random() < 0.7) for fault in faults[:number]]


def some_training(service: Service, random: Random) -> int | None:
    pids = [pid for _, found in sorted(service.training_processes().items()) for pid in found]
    return random.choice(pids) if pids else None


def run_ids(service: Service) -> list[str]:
    folder = service.home / "runs"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def folder_of(process: psutil.Process) -> Path:
    words = process.cmdline()
    if "--attempt" not in words:
        raise psutil.NoSuchProcess(process.pid)
    return Path(words[words.index("--attempt") - 1])


def hit(pid: int, number: signal.Signals, name: str | None = None) -> str | None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return name or f"process {pid}"
    return None
