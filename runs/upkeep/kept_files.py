"""The files that a backup keeps: those of runs, models and registered data, in an order that is safe to copy while runs
go on.

Of a run its checkpoints come first, the newest before the others, and then its events: so nothing is copied that the
copied events could not lead to. A checkpoint is whole or left out, because all its files are opened at once.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from runs.settings import Settings
from trapo_core.events import EVENTS_FILE

CHECKPOINTS = "checkpoints"
STAGE = ".restoring"  # in a root while a restore fills it
# What a crashed save, link, deletion or restore leaves; see also `gc.py`.
_TEMPORARY = re.compile(r".*\.tmp|\..*\.link|\..*-[a-z0-9_]{8}|\.deleted-.*|\.restoring")


@dataclass(frozen=True)
class Opened:
    """A file to be read, or a link (`target`), by its name in the archive. `twin`: what its hard links share."""

    name: str
    file: BinaryIO | None = None
    target: str = ""
    twin: tuple[int, int] | None = None


@dataclass(frozen=True)
class LeftOut:
    name: str
    why: str


def roots(settings: Settings) -> dict[str, Path]:
    """First part of a name in the archive to folder. Data outside the home are somebody else's to keep."""
    found = {"runs": settings.home / "runs", "models": settings.models_root}
    if settings.data_root.resolve().is_relative_to(settings.home.resolve()):
        found["data"] = settings.data_root
    return found


def is_temporary(name: str) -> bool:
    return _TEMPORARY.fullmatch(name) is not None


def safe_name(name: str) -> bool:
    """Whether a name of an archive can only lead to a place under one of the roots."""
    path = PurePosixPath(name)
    plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    odd = "\\" in name or "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name)
    return plain and not odd and len(path.parts) > 1 and path.parts[0] in ("runs", "models", "data")


def safe_link(name: str, target: str) -> bool:
    """Whether the symbolic link `name` would stay under its own root."""
    if not target or target.startswith("/") or "\0" in target:
        return False
    reached = os.path.normpath(PurePosixPath(name).parent / target)
    return reached.split("/")[0] == name.split("/")[0] and "/" in reached


def kept_files(settings: Settings) -> Iterator[Opened | LeftOut]:
    """Each is closed when the next is asked for."""
    for first, root in roots(settings).items():
        for group in _groups(first, root):
            yield from _open_all(group)


def _groups(first: str, root: Path) -> Iterator[list[tuple[str, Path]]]:
    """Names and paths of what is opened together."""
    for path in _entries(root):
        name = f"{first}/{path.name}"
        if first != "runs" or path.is_symlink() or not path.is_dir():
            yield from ([one] for one in _below(name, path))
            continue
        for folder in reversed(_entries(path / CHECKPOINTS)):
            yield list(_below(f"{name}/{CHECKPOINTS}/{folder.name}", folder))
        rest = [entry for entry in _entries(path) if entry.name != CHECKPOINTS]
        for entry in sorted(rest, key=lambda entry: (entry.name != EVENTS_FILE, entry.name)):
            yield from ([one] for one in _below(f"{name}/{entry.name}", entry))


def _below(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_symlink() or not path.is_dir():
        yield name, path
        return
    for entry in _entries(path):
        yield from _below(f"{name}/{entry.name}", entry)


def _entries(folder: Path) -> list[Path]:
    """Sorted; nothing if the folder is not there, or no longer."""
    found: list[Path] = []
    with suppress(FileNotFoundError, NotADirectoryError):
        found = sorted(path for path in folder.iterdir() if not is_temporary(path.name))
    return found


def _open_all(group: list[tuple[str, Path]]) -> Iterator[Opened | LeftOut]:
    with ExitStack() as stack:
        found: list[Opened | LeftOut] = []
        for name, path in group:
            try:
                found.append(_open(name, path, stack))
            except FileNotFoundError:
                yield LeftOut(name, "deleted meanwhile, with what was deleted beside it")
                return
        yield from found


def _open(name: str, path: Path, stack: ExitStack) -> Opened | LeftOut:
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        target = os.readlink(path)
        return Opened(name, target=target) if safe_link(name, target) else LeftOut(name, f"leads out, to {target}")
    if not stat.S_ISREG(kind) or not safe_name(name):
        return LeftOut(name, "no plain file, or a name that no archive may have")
    file = stack.enter_context(path.open("rb"))
    facts = os.fstat(file.fileno())
    return Opened(name, file, twin=(facts.st_dev, facts.st_ino) if facts.st_nlink > 1 else None)
