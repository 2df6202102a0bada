"""The form of a backup: one tar file that is written and read from front to back, whatever its size.

    manifest.json                       format, schema revision, layout of the tables
    rows/TABLE/NUMBER.jsonl.gz          rows as `portable.py` writes them
    runs/… models/… data/…              files; a further hard link is a link, a symbolic link stays one
    index.jsonl                         a line for each member before it: kind, size, sha256; then what was left out,
                                        and at the end the digest of the contents and that of the lines themselves

The digest of the contents is over rows and files, not over the archive, so a service has the same one before and after.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from runs.errors import ArchiveError
from runs.kept_files import LeftOut, Opened, safe_link, safe_name

FORMAT = 1
MANIFEST, INDEX = "manifest.json", "index.jsonl"
CHUNK_BYTES = 4 << 20
READ_BYTES = 1 << 20
HINT = "Take another backup; this one cannot be restored."


class Contents:
    """The digest and the size of what a service holds: rows in the order of their tables, then files."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._rows = self._files = self._bytes = 0

    def row(self, table: str, line: bytes) -> None:
        self._rows += 1
        self._sha256.update(b"row %s %s\n" % (table.encode(), line))

    def file(self, name: str, size: int, sha256: str) -> None:
        self._files += 1
        self._bytes += size
        self._sha256.update(f"file {name} {size} {sha256}\n".encode())

    def link(self, name: str, target: str) -> None:
        self._files += 1
        self._sha256.update(f"link {name} {target}\n".encode())

    def facts(self) -> dict[str, Any]:
        return {"digest": self._sha256.hexdigest(), "rows": self._rows, "files": self._files, "bytes": self._bytes}


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
        _forget(self._tar)
        size, sha256 = measured.read_bytes, measured.sha256.hexdigest()
        self._note(kind=kind, name=name, size=size, sha256=sha256)
        return size, sha256

    def _link(self, name: str, kind: bytes, target: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        self._tar.addfile(info)
        _forget(self._tar)

    def _note(self, **facts: Any) -> None:
        line = json.dumps(facts, ensure_ascii=False).encode() + b"\n"
        self._index_sha256.update(line)
        self._index.write(line)


# ------------------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True)
class Member:
    """One thing of an archive, by its line of the index. `data` yields the bytes of a file, or of rows."""

    kind: str
    name: str
    size: int = 0
    target: str = ""
    sha256: str = ""
    file: BinaryIO | None = None

    def data(self) -> Iterator[bytes]:
        left = self.size
        while self.file and left:
            part = self.file.read(min(READ_BYTES, left))
            if not part:
                raise ArchiveError(f"{self.name} is cut short.", HINT)
            left -= len(part)
            yield part

    def lines(self) -> list[bytes]:
        return gzip.decompress(b"".join(self.data())).splitlines()

    @property
    def table(self) -> str:
        return self.name.split("/")[1]


def read_manifest(path: Path) -> dict[str, Any]:
    with _opened(path) as tar:
        first = tar.next()
        file = tar.extractfile(first) if first and first.name == MANIFEST and first.isreg() else None
        if file is None:
            raise ArchiveError(f"{path} is no backup of this service.", "`trapo backup FILE` makes one.")
        manifest: dict[str, Any] = json.loads(file.read(READ_BYTES))
    if manifest.get("format") != FORMAT:
        form = manifest.get("format")
        raise ArchiveError(f"{path} has the form {form}, and {FORMAT} is known here.", "Update the program first.")
    return manifest


def members(path: Path) -> Iterator[Member]:
    """All of it from front to back, each with its line of the index. ArchiveError where the two do not agree, or where
    a name or link would lead out of its root."""
    with _opened(path) as tar, _opened(path) as ahead:
        lines = _index_lines(ahead)
        for info in _infos(tar):
            line = next(lines, {})
            member = Member(**{k: v for k, v in line.items() if k in Member.__dataclass_fields__} | {"file": None})
            kinds = {"link": info.issym(), "twin": info.islnk()}
            agrees = info.name == member.name and kinds.get(member.kind, info.isreg())
            if not agrees or (member.kind in kinds and info.linkname != member.target) or member.size < 0:
                raise ArchiveError(f"{info.name} is not what the index says.", HINT)
            if not _stays(member):
                raise ArchiveError(f"{info.name} would lead out of the service's folders.", "Do not trust this file.")
            file = tar.extractfile(info) if info.isreg() else None
            yield Member(**{**vars(member), "file": file})
        if any(line["kind"] not in ("left_out", "end") for line in lines):
            raise ArchiveError(f"{path} lacks members that its index names.", HINT)


def _stays(member: Member) -> bool:
    if member.kind == "manifest":
        return member.name == MANIFEST
    if member.kind == "rows":
        return member.name.startswith("rows/") and ".." not in member.name
    if member.kind == "link" and not safe_link(member.name, member.target):
        return False
    return safe_name(member.name) and (member.kind != "twin" or safe_name(member.target))


def check(path: Path) -> dict[str, Any]:
    """Read all of it, and compare every digest; the facts of its last line. ArchiveError names what is damaged."""
    contents = Contents()
    try:
        read_manifest(path)
        for member in members(path):
            _check_member(member, contents)
        last = end_of(path)
    except (tarfile.TarError, OSError, ValueError, EOFError, TypeError, KeyError) as error:
        raise ArchiveError(f"{path} is damaged: {error}.", HINT) from error
    if {name: last.get(name) for name in contents.facts()} != contents.facts():
        raise ArchiveError(f"{path} has not the contents that it should have.", HINT)
    return last


def _check_member(member: Member, contents: Contents) -> None:
    if member.kind == "link":
        contents.link(member.name, member.target)
    if member.kind == "twin":
        contents.file(member.name, member.size, member.sha256)
    if member.file is None:
        return
    if member.kind == "rows":
        packed = b"".join(member.data())
        found = hashlib.sha256(packed)
        if found.hexdigest() == member.sha256:
            for line in gzip.decompress(packed).splitlines():
                contents.row(member.table, line)
    else:
        found = hashlib.sha256()
        for part in member.data():
            found.update(part)
    if found.hexdigest() != member.sha256:
        raise ArchiveError(f"{member.name} is damaged: its digest is another.", HINT)
    if member.kind == "file":
        contents.file(member.name, member.size, member.sha256)


def end_of(path: Path) -> dict[str, Any]:
    """The facts of the last line. ArchiveError if the lines before it are not those that were written."""
    sha256 = hashlib.sha256()
    with _opened(path) as tar:
        for line in _index_lines(tar):
            if line["kind"] == "end":
                if line["lines_sha256"] != sha256.hexdigest():
                    raise ArchiveError(f"The index of {path} is damaged.", HINT)
                return line
            sha256.update(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    raise ArchiveError(f"The index of {path} has no end.", HINT)


def left_out(path: Path) -> Iterator[LeftOut]:
    with _opened(path) as tar:
        for line in _index_lines(tar):
            if line["kind"] == "left_out":
                yield LeftOut(line["name"], line["why"])


def _forget(tar: tarfile.TarFile) -> None:
    """It would keep every member in memory."""
    tar.members = []  # type: ignore[attr-defined]


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:")
    except FileNotFoundError as error:
        raise ArchiveError(f"There is no file {path}.", "Give the backup's path.") from error
    except (tarfile.TarError, OSError) as error:
        raise ArchiveError(f"{path} is no backup, or a damaged one: {error}.", HINT) from error


def _infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Up to the index."""
    while (info := tar.next()) is not None and info.name != INDEX:
        _forget(tar)
        yield info


def _index_lines(tar: tarfile.TarFile) -> Iterator[dict[str, Any]]:
    while (info := tar.next()) is not None:
        _forget(tar)
        file = tar.extractfile(info) if info.name == INDEX and info.isreg() else None
        if file is not None:
            yield from map(json.loads, file)
            return
    raise ArchiveError("The archive has no index: it was cut short.", HINT)
