"""The files of a run, under RUN_DIR. Names come from rows and numbers, never from a caller."""

import codecs
import errno
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runs.settings import Settings

DOOMED = ".deleted-"


def log_path(run_dir: Path, attempt: int) -> Path:
    return run_dir / "logs" / f"attempt-{attempt:04d}.log"


def free_bytes(folder: Path) -> int:
    """On the disk that holds the folder, or will hold it."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


def has_room(settings: Settings, more: int = 0) -> bool:
    """On the disk of the home. A run that is started on a full one fails, and one that waits does not."""
    return free_bytes(settings.home) - more >= settings.min_free_bytes


def remove_folder(folder: Path) -> None:
    """All of it, or nothing that can still be found: it is renamed first. Two may do so at once."""
    # What was left of an earlier try has the name already.
    doomed = folder if folder.name.startswith(DOOMED) else folder.with_name(f"{DOOMED}{folder.name}")
    with suppress(FileNotFoundError):
        folder.rename(doomed)
    with suppress(FileNotFoundError):
        shutil.rmtree(doomed)


def link_or_copy(path: Path, to: Path) -> None:
    """A hard link where the file system allows one: what is written to either afterwards is in both."""
    try:
        os.link(path, to)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copy2(path, to)


def tail(path: Path, limit_bytes: int) -> str:
    """The last `limit_bytes` of a text file, from the first whole line on; empty if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - limit_bytes))
        text = file.read(limit_bytes)
    if size > limit_bytes and b"\n" in text:
        text = text[text.index(b"\n") + 1 :]
    return text.decode(errors="replace")


@dataclass(frozen=True)
class Part:
    """The text of bytes [offset, end) of a file that has `size` now."""

    offset: int
    end: int
    size: int
    text: str


def read_part(path: Path, offset: int, limit_bytes: int, whole: bool = False) -> Part:
    """From byte `offset` on, at most `limit_bytes`. A character that is cut waits for the next reading, unless the file
    is `whole` and this is its end. Bytes that are no UTF-8 come as U+FFFD. Empty if there is no such file."""
    if not path.is_file():
        return Part(offset, offset, 0, "")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(min(offset, size))
        data = file.read(limit_bytes)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    at_end = whole and offset + len(data) >= size
    text = decoder.decode(data, at_end)
    waiting = 0 if at_end else len(decoder.getstate()[0])
    return Part(offset, offset + len(data) - waiting, size, text)


def read_before(path: Path, end: int, limit_bytes: int, whole: bool = False) -> Part:
    """Whole lines up to byte `end`, at most `limit_bytes`; of a longer line its end. A character that is still being
    written waits, unless the file is `whole`. Empty if there is no such file."""
    if not path.is_file():
        return Part(0, 0, 0, "")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        end = min(end, size)
        start = file.seek(max(0, end - limit_bytes))
        data = file.read(end - start)
    if start > 0:
        newline = data.find(b"\n", 0, len(data) - 1)
        continued = next((at for at, byte in enumerate(data) if byte & 0xC0 != 0x80), 0)
        begin = newline + 1 if newline >= 0 else continued
        start, data = start + begin, data[begin:]
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    at_end = end < size or whole
    text = decoder.decode(data, at_end)
    waiting = 0 if at_end else len(decoder.getstate()[0])
    return Part(start, end - waiting, size, text)
