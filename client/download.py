"""Files of a checkpoint: fetched in parts, on where it stopped, and believed only with the digest that was promised."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx

from client.connection import Connection, comes_again
from client.errors import ApiError, ClientError, Unreachable, UsageError
from client.models import CheckpointFile
from client.patience import Patience

Tell = Callable[[str, int, int], None]
CHUNK = 1 << 20
# The service reads a file once for its sha256 before it sends any of it.
TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=300.0)
PART = ".part"
BEYOND_THE_END = 416


def nobody(_name: str, _done: int, _total: int) -> None:
    """Tells nobody."""


def place_of(folder: Path, name: str) -> Path:
    """Where a file of this name goes: never outside the folder, whatever the service calls it."""
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise ClientError(f"The service names a file {name!r}, which would lie outside {folder}.")
    return place


def fetch(service: Connection, path: str, target: Path, file: CheckpointFile, tell: Tell) -> Path:
    """`target`, complete and checked. A part that belongs to something else is begun anew, once."""
    part = target.with_name(target.name + PART)
    if target.exists():
        _check_present(service, path, target)
        tell(file.name, file.bytes, file.bytes)
        return target
    part.parent.mkdir(parents=True, exist_ok=True)
    had_part = part.exists()
    digest = _fill(service, path, part, lambda done: tell(file.name, done, file.bytes))
    if had_part and sha256(part) != digest:
        part.unlink()
        digest = _fill(service, path, part, lambda done: tell(file.name, done, file.bytes))
    if sha256(part) != digest:
        part.unlink()
        raise ClientError(f"{file.name} came with a wrong sha256.", "Try again; if it stays so, the disk is damaged.")
    part.rename(target)
    return target


def sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _check_present(service: Connection, path: str, target: Path) -> None:
    if sha256(target) != service.patiently(lambda: _digest(service, path)):
        raise UsageError(f"{target} is there and is another file.", "Give another --out.")


def _digest(service: Connection, path: str) -> bytes:
    with service.opened(path, headers={"Range": "bytes=0-0"}, timeout=TIMEOUT) as answer:
        return _promised(answer)


def _fill(service: Connection, path: str, part: Path, tell: Callable[[int], None]) -> bytes:
    """Append what is missing, over as many connections as bring something; the digest of the whole."""
    patience = Patience()
    while True:
        had = part.stat().st_size if part.exists() else 0
        try:
            return _append(service, path, part, tell)
        except (httpx.TransportError, Unreachable) as error:
            if part.exists() and part.stat().st_size > had:
                patience = Patience()
            if not patience.again(service.patience_s):
                raise Unreachable(f"{service.base_url} stopped answering: {error}.", "Again goes on here.") from error
        except ApiError as error:
            if error.status == BEYOND_THE_END:
                part.unlink(missing_ok=True)  # longer than the file: it belongs to something else
            elif not comes_again(error, patience):
                raise


def _append(service: Connection, path: str, part: Path, tell: Callable[[int], None]) -> bytes:
    # The last byte is asked for again: behind a part that is complete there would be nothing to ask for.
    start = max(0, part.stat().st_size - 1) if part.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    with (
        service.opened(path, headers=headers, timeout=TIMEOUT) as answer,
        part.open("r+b" if part.exists() else "wb") as file,
    ):
        file.seek(start if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0)
        for chunk in answer.iter_bytes(CHUNK):
            file.write(chunk)
            tell(file.tell())
        file.truncate()
        return _promised(answer)


def _promised(answer: httpx.Response) -> bytes:
    """The sha256 of the whole, by `Repr-Digest` (RFC 9530)."""
    name, _, value = answer.headers.get("Repr-Digest", "").partition("=")
    if name != "sha-256":
        raise ClientError("The service did not say the file's sha256.", "Is a proxy between that drops Repr-Digest?")
    return base64.b64decode(value.strip(":"))
