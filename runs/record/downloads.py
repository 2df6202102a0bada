"""Files as one sequence of bytes that can be read from anywhere: a file, or a tar of a folder that is never written.

A tar's headers follow from names, sizes and times, so its length and any part of it are known without making it.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

from runs.errors import NotYetError

CHUNK = 1 << 20
AT_ONCE = 4  # readings for a sha256: each takes gigabytes from the disk, and a thread from all other requests
MOMENT_S = 0.2  # a small file is read by then
KNOWN = 1024  # digests that are kept


@dataclass(frozen=True)
class Piece:
    """Bytes, or a file as it was at `mtime_ns`."""

    size: int
    data: bytes = b""
    path: Path | None = None
    mtime_ns: int = 0


Pieces = tuple[Piece, ...]


def of_file(path: Path) -> Pieces:
    stat = path.stat()
    return (Piece(stat.st_size, path=path, mtime_ns=stat.st_mtime_ns),)


def of_tar(files: Mapping[str, Path], top: str) -> Pieces:
    """The files under the folder `top`; the same bytes as long as the files are the same."""
    made: list[Piece] = []
    for name, path in files.items():
        (file,) = of_file(path)
        info = tarfile.TarInfo(f"{top}/{name}")
        info.size, info.mtime, info.mode = file.size, file.mtime_ns // 10**9, 0o644
        made += [_bytes(info.tobuf(tarfile.PAX_FORMAT)), file, _bytes(b"\0" * (-file.size % tarfile.BLOCKSIZE))]
    length = sum(piece.size for piece in made)
    end = 2 * tarfile.BLOCKSIZE
    made.append(_bytes(b"\0" * (end + -(length + end) % tarfile.RECORDSIZE)))
    return tuple(made)


def length(pieces: Pieces) -> int:
    return sum(piece.size for piece in pieces)


def read(pieces: Pieces, start: int, end: int) -> Iterator[bytes]:
    """Bytes [start, end), in chunks."""
    at = 0
    for piece in pieces:
        low, high = max(start - at, 0), min(end - at, piece.size)
        at += piece.size
        if low >= high:
            continue
        if piece.path is None:
            yield piece.data[low:high]
        else:
            yield from _read_file(piece.path, low, high)


class Digests:
    """Of what is downloaded: each is read once, and again when a file has changed. Who would have to wait for longer
    than a moment is sent away, else those who wait would soon be all threads of the api."""

    def __init__(self) -> None:
        self._known: dict[Pieces, bytes] = {}
        self._being_read: set[Pieces] = set()
        self._changed = Condition()

    def of(self, pieces: Pieces) -> bytes:
        """NotYetError while another request reads the same, or `AT_ONCE` others read something."""
        if known := self._begin(pieces):
            return known
        try:
            return self._keep(pieces, _read_through(pieces))
        finally:
            self._end(pieces)

    def _begin(self, pieces: Pieces) -> bytes | None:
        """None: it is the caller's to read."""
        with self._changed:
            if not self._changed.wait_for(lambda: pieces in self._known or self._is_free(pieces), MOMENT_S):
                raise NotYetError("Its sha256 is not known yet: this, or much else, is being read now.", "Try again.")
            if pieces not in self._known:
                self._being_read.add(pieces)
            return self._known.get(pieces)

    def _is_free(self, pieces: Pieces) -> bool:
        return pieces not in self._being_read and len(self._being_read) < AT_ONCE

    def _keep(self, pieces: Pieces, digest: bytes) -> bytes:
        with self._changed:
            self._known[pieces] = digest
            if len(self._known) > KNOWN:
                del self._known[next(iter(self._known))]
        return digest

    def _end(self, pieces: Pieces) -> None:
        with self._changed:
            self._being_read.discard(pieces)
            self._changed.notify_all()


_digests = Digests()


def sha256(pieces: Pieces) -> bytes:
    """Of all bytes. NotYetError while that takes longer than a moment, and somebody is at it."""
    return _digests.of(pieces)


def _read_through(pieces: Pieces) -> bytes:
    digest = hashlib.sha256()
    for chunk in read(pieces, 0, length(pieces)):
        digest.update(chunk)
    return digest.digest()


def _bytes(data: bytes) -> Piece:
    return Piece(len(data), data)


def _read_file(path: Path, low: int, high: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(low, os.SEEK_SET)
        while low < high and (chunk := file.read(min(CHUNK, high - low))):
            low += len(chunk)
            yield chunk
