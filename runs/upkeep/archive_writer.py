"""Writing a backup in the form that `archive.py` describes, member after member."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from runs.upkeep.archive import INDEX, MANIFEST, Contents, forget
from runs.upkeep.kept_files import LeftOut, Opened

CHUNK_BYTES = 4 << 20


class Measured(io.RawIOBase):
    """The first `size` bytes of a file, hashed as they are read. A file that has become shorter is filled up with
    zeros; `read_bytes` says where they begin."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size
        self.read_bytes = 0
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self.read_bytes += len(data)
        self.sha256.update(data)
        self._left -= wanted
        return data.ljust(wanted, b"\0")


class Writer:
    """Appends members and, at the end, their index."""

    def __init__(self, tar: tarfile.TarFile, index: BinaryIO) -> None:
        self.contents = Contents()
        self.left_out: list[LeftOut] = []
        self._tar, self._index, self._index_sha256 = tar, index, hashlib.sha256()
        self._twins: dict[tuple[int, int], tuple[str, int, str]] = {}

    def manifest(self, manifest: dict[str, Any]) -> None:
        self._bytes(MANIFEST, "manifest", json.dumps(manifest, indent=2).encode())

    def rows(self, table: str, lines: Iterator[bytes]) -> None:
        chunk, size, number = [], 0, 1
        for line in lines:
            self.contents.row(table, line)
            chunk.append(line + b"\n")
            size += len(line)
            if size >= CHUNK_BYTES:
                self._chunk(table, number, chunk)
                chunk, size, number = [], 0, number + 1
        if chunk:
            self._chunk(table, number, chunk)

    def file(self, found: Opened) -> None:
        if found.file is None:
            self._link(found.name, tarfile.SYMTYPE, found.target)
            self.contents.link(found.name, found.target)
            self._note(kind="link", name=found.name, target=found.target)
        elif twin := self._twins.get(found.twin) if found.twin else None:
            first, size, sha256 = twin
            self._link(found.name, tarfile.LNKTYPE, first)
            self.contents.file(found.name, size, sha256)
            self._note(kind="twin", name=found.name, target=first, size=size, sha256=sha256)
        else:
            size, sha256 = self._member(found.name, "file", found.file)
            self.contents.file(found.name, size, sha256)
            if found.twin:
                self._twins[found.twin] = found.name, size, sha256

    def finish(self) -> None:
        for one in self.left_out:
            self._note(kind="left_out", name=one.name, why=one.why)
        self._note(kind="end", lines_sha256=self._index_sha256.hexdigest(), **self.contents.facts())
        size = self._index.tell()
        self._index.seek(0)
        info = tarfile.TarInfo(INDEX)
        info.size = size
        self._tar.addfile(info, self._index)

    def _chunk(self, table: str, number: int, lines: list[bytes]) -> None:
        packed = gzip.compress(b"".join(lines), compresslevel=3, mtime=0)
        self._bytes(f"rows/{table}/{number:06d}.jsonl.gz", "rows", packed)

    def _bytes(self, name: str, kind: str, data: bytes) -> None:
        self._member(name, kind, io.BytesIO(data))

    def _member(self, name: str, kind: str, file: BinaryIO) -> tuple[int, str]:
        info = tarfile.TarInfo(name)
        info.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        measured = Measured(file, info.size)
        self._tar.addfile(info, measured)  # type: ignore[arg-type]
        forget(self._tar)
        size, sha256 = measured.read_bytes, measured.sha256.hexdigest()
        self._note(kind=kind, name=name, size=size, sha256=sha256)
        return size, sha256

    def _link(self, name: str, kind: bytes, target: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        self._tar.addfile(info)
        forget(self._tar)

    def _note(self, **facts: Any) -> None:
        line = json.dumps(facts, ensure_ascii=False).encode() + b"\n"
        self._index_sha256.update(line)
        self._index.write(line)
