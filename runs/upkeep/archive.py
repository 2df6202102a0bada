"""The form of a backup, and reading it: one tar file from front to back, whatever its size.

    manifest.json                       format, schema revision, layout of the tables
    rows/TABLE/NUMBER.jsonl.gz          rows as `portable.py` writes them
    runs/… models/… data/…              files; a further hard link is a link, a symbolic link stays one
    index.jsonl                         a line for each member before it: kind, size, sha256; then what was left out,
                                        and at the end the digest of the contents and that of the lines themselves

The digest of the contents is over rows and files, not over the archive, so a service has the same one before and after.
"""

import errno
import gzip
import hashlib
import json
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from runs.errors import ArchiveError
from runs.upkeep.kept_files import LeftOut, safe_link, safe_name
from trapo_core.errors import TrapoError

FORMAT = 1
MANIFEST, INDEX = "manifest.json", "index.jsonl"
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


def forget(tar: tarfile.TarFile) -> None:
    """It would keep every member in memory."""
    tar.members = []  # type: ignore[attr-defined]


def tell(work: Callable[[], dict[str, Any]]) -> None:
    """The facts of a backup's or a restore's work as JSON, or why there are none, with status 1: for `main`."""
    try:
        facts = work()
    except OSError as error:
        sys.exit(str(refused(error)))
    except TrapoError as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(facts) + "\n")


def refused(error: OSError) -> ArchiveError:
    """What the system refused while a backup was written, read or restored."""
    text = f"{error.filename or 'The backup'}: {error.strerror or error}."
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ArchiveError(text, "Mend that, or give another place.")
    user = os.geteuid()
    return ArchiveError(
        text,
        f"This runs as user {user}, who must be able to read and write there; "
        f"`sudo install -d -o {user} -m 700 FOLDER` makes such a folder, with Compose on the host.",
    )


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:")
    except FileNotFoundError as error:
        raise ArchiveError(f"There is no file {path}.", "Give the backup's path.") from error
    except PermissionError as error:
        raise refused(error) from error
    except (tarfile.TarError, OSError) as error:
        raise ArchiveError(f"{path} is no backup, or a damaged one: {error}.", HINT) from error


def _infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Up to the index."""
    while (info := tar.next()) is not None and info.name != INDEX:
        forget(tar)
        yield info


def _index_lines(tar: tarfile.TarFile) -> Iterator[dict[str, Any]]:
    while (info := tar.next()) is not None:
        forget(tar)
        file = tar.extractfile(info) if info.name == INDEX and info.isreg() else None
        if file is not None:
            yield from map(json.loads, file)
            return
    raise ArchiveError("The archive has no index: it was cut short.", HINT)
