"""`python -m runs.upkeep.backup FILE`: all that the service keeps, as one file (`archive.py`); `--verify FILE`
reads it again.

The service may run meanwhile. The rows are one snapshot, and the files are copied after it: an events file is never
shorter than the offset that its run's row has, and what it has beyond is read again after a restore. A run that is
under way is restored as it is: its lease expires and it goes on from its last checkpoint in the backup.
"""

import argparse
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Engine

from runs.db import make_engine
from runs.errors import ArchiveError
from runs.migrate import is_current, revision_of
from runs.settings import Settings
from runs.upkeep import archive, kept_files, portable
from runs.upkeep.archive import Contents
from runs.upkeep.archive_writer import Measured, Writer
from runs.upkeep.kept_files import LeftOut


def take(engine: Engine, settings: Settings, path: Path) -> dict[str, Any]:
    """Write the backup; its digest, how much it holds, and what was left out. `path` is whole or absent."""
    _check_place(path, settings)
    if not is_current(engine):
        raise ArchiveError("The database has not the newest schema.", "Run `python -m runs.migrate` first.")
    with (
        _whole_or_absent(path) as file,
        tempfile.TemporaryFile() as index,
        tarfile.open(fileobj=file, mode="w") as tar,
    ):
        writer = Writer(tar, index)
        with snapshot(engine) as connection:
            writer.manifest(_manifest(connection))
            for table in portable.TABLES:
                writer.rows(table.name, portable.lines(connection, table))
        for found in kept_files.kept_files(settings):
            if isinstance(found, LeftOut):
                writer.left_out.append(found)
            else:
                writer.file(found)
        writer.left_out += _elsewhere(settings)
        writer.finish()
    return {**writer.contents.facts(), "left_out": [vars(one) for one in writer.left_out]}


def contents_of(engine: Engine, settings: Settings) -> Contents:
    """What a backup taken now would hold: the same digest means the same rows and files."""
    contents = Contents()
    with snapshot(engine) as connection:
        for table in portable.TABLES:
            for line in portable.lines(connection, table):
                contents.row(table.name, line)
    for found in kept_files.kept_files(settings):
        if isinstance(found, LeftOut):
            continue
        if found.file is None:
            contents.link(found.name, found.target)
        else:
            size = os.fstat(found.file.fileno()).st_size
            measured = Measured(found.file, size)
            while measured.read(archive.READ_BYTES):
                pass
            contents.file(found.name, measured.read_bytes, measured.sha256.hexdigest())
    return contents


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """All that is read in it is of one moment."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


def verify(path: Path) -> dict[str, Any]:
    """The facts of a whole archive. ArchiveError names what is damaged."""
    last = archive.check(path)
    facts = {name: last[name] for name in ("digest", "rows", "files", "bytes")}
    return {**facts, "left_out": [vars(one) for one in archive.left_out(path)]}


def _manifest(connection: Connection) -> dict[str, Any]:
    return {
        "format": archive.FORMAT,
        "program": f"trapo {version('trapo')}",
        "revision": revision_of(connection),
        "database": connection.dialect.name,
        "taken_at": datetime.now(UTC).isoformat(),
        "tables": portable.layout(),
        "positions": portable.positions(connection),
    }


def _elsewhere(settings: Settings) -> list[LeftOut]:
    if "data" in kept_files.roots(settings):
        return []
    return [LeftOut("data", f"{settings.data_root} is not under the home: keep it by other means")]


def _check_place(path: Path, settings: Settings) -> None:
    if path.exists():
        raise ArchiveError(f"{path} is there already.", "Give another name, or remove it first.")
    if not path.absolute().parent.is_dir():
        raise ArchiveError(f"There is no folder {path.absolute().parent}.", "Make it first.")
    for root in kept_files.roots(settings).values():
        if path.resolve().is_relative_to(root.resolve()):
            raise ArchiveError(f"{path} would be a part of itself.", f"Give a place outside of {root}.")


@contextmanager
def _whole_or_absent(path: Path) -> Iterator[BinaryIO]:
    """For its owner only: it has the hashes of keys, and the secrets of webhooks."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def main() -> None:
    """Prints the facts as JSON."""
    parser = argparse.ArgumentParser(prog="python -m runs.upkeep.backup")
    parser.add_argument("file", type=Path)
    parser.add_argument("--verify", action="store_true", help="read FILE and compare every digest")
    given = parser.parse_args()
    archive.tell(lambda: verify(given.file) if given.verify else _take_here(given.file))


def _take_here(path: Path) -> dict[str, Any]:
    settings = Settings()
    return take(make_engine(settings.database_url), settings, path)


if __name__ == "__main__":
    main()
