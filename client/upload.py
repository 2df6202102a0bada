"""A file as the body of a request."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

CHUNK = 1 << 18
# The answer comes when the service has read and stored all.
PATIENCE = httpx.Timeout(60.0, read=3600.0)


class FileBody:
    """From its beginning each time it is sent."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def request_of(path: Path, **headers: str) -> dict[str, Any]:
    """What `Connection.send` needs to send JSON lines."""
    told = {"Content-Type": "application/x-ndjson", "Content-Length": str(path.stat().st_size), **headers}
    return {"content": FileBody(path), "headers": told, "timeout": PATIENCE}


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
