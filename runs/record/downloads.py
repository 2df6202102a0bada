"""Files as one sequence of bytes that can be read from anywhere: a file, or a tar of a folder that is never written.

A tar's headers follow from names, sizes and times, so its length and any part of it are known without making it.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

CHUNK = 1 << 20
_hashing = Lock()


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


def sha256(pieces: Pieces) -> bytes:
    """Of all bytes: read once, and again when a file has changed. Who comes meanwhile waits for it and does not read
    the same gigabytes beside it."""
    with _hashing:
        return _sha256(pieces)


@lru_cache(maxsize=1024)
def _sha256(pieces: Pieces) -> bytes:
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
