"""`python -m runs.upkeep.restore FILE`: a backup into an empty service, on SQLite or PostgreSQL, wherever it was taken.

All or nothing: every digest is checked before anything is changed; files are written beside their places, rows in one
transaction, and both appear together at its end. If this process is killed before, the next restore clears up.
"""

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, literal_column, select, table

from runs import migrate
from runs.db import make_engine
from runs.errors import ArchiveError, ConflictError
from runs.files import free_bytes
from runs.settings import Settings
from runs.upkeep import archive, portable
from runs.upkeep.archive import Member
from runs.upkeep.kept_files import STAGE, roots

# In the stage, the names of what goes from it into its root.
NAMES = ".names"
VERSIONS = "alembic_version"


def restore(engine: Engine, settings: Settings, path: Path) -> dict[str, Any]:
    """The facts of what was restored. ArchiveError or ConflictError, with nothing changed, if that cannot be."""
    facts, manifest = archive.check(path), archive.read_manifest(path)
    with engine.connect() as connection:
        _refuse_rows(connection)
    places = roots(settings)
    _check_room(places, facts)
    with _staged(places):
        _write_files(path, places)
        with migrate.changing(engine) as connection:
            _refuse_rows(connection)
            migrate.bring_to(connection, manifest["revision"])
            _write_rows(connection, path, manifest)
            migrate.bring_to(connection, "head")
            portable.set_positions(connection, manifest["positions"])
            for root in places.values():
                _publish(root)
    return {name: facts[name] for name in ("digest", "rows", "files", "bytes")}


def _refuse_rows(connection: Connection) -> None:
    for name in inspect(connection).get_table_names():
        if name != VERSIONS and connection.scalar(select(literal_column("1")).select_from(table(name)).limit(1)):
            raise ConflictError(
                f"The database is not empty: {name} has rows.",
                "Restore into a new one, before the service starts for the first time.",
            )


def _check_room(places: dict[str, Path], facts: dict[str, Any]) -> None:
    for root in places.values():
        if free_bytes(root) < facts["bytes"]:
            raise ArchiveError(
                f"{root} has {free_bytes(root)} bytes free, and the files take {facts['bytes']}.", "Make room first."
            )


def _write_rows(connection: Connection, path: Path, manifest: dict[str, Any]) -> None:
    for member in archive.members(path):
        if member.kind not in ("manifest", "rows"):
            return  # rows come first, and PostgreSQL ends a transaction that is idle for long
        if member.kind == "rows":
            portable.insert_lines(connection, member.table, manifest["tables"][member.table], member.lines())


# -------------------------------------------------------------------------------------------------------------- files


@contextmanager
def _staged(places: dict[str, Path]) -> Iterator[None]:
    """Roots with a stage in each. On an error they are empty again."""
    for root in places.values():
        _clear(root)
    made = [root for root in places.values() if not root.exists()]
    try:
        for root in places.values():
            (root / STAGE).mkdir(parents=True)
        yield
    except BaseException:
        for root in places.values():
            _clear(root)
        for root in made:
            root.rmdir()
        raise
    for root in places.values():
        shutil.rmtree(root / STAGE)


def _clear(root: Path) -> None:
    """Take away what a restore has begun. ConflictError if anything else is there."""
    begun = [STAGE, *_names(root)]
    found = [] if not root.exists() else list(root.iterdir())
    if any(entry.name not in begun for entry in found):
        raise ConflictError(f"{root} is not empty.", "Move what is in it away, or restore into another home.")
    for entry in sorted(found, key=lambda entry: entry.name == STAGE):  # it last: it has the others' names
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _names(root: Path) -> list[str]:
    """What a restore has moved, or would have, from its stage into the root."""
    file = root / STAGE / NAMES
    return json.loads(file.read_text()) if file.exists() else []


def _write_files(path: Path, places: dict[str, Path]) -> None:
    """Symbolic links last, so that nothing is written through one."""
    links = []
    for member in archive.members(path):
        if member.kind == "link":
            links.append(member)
        elif member.kind in ("file", "twin"):
            _write_file(member, places)
    for member in links:
        place = _place(member.name, places)
        place.symlink_to(member.target)


def _write_file(member: Member, places: dict[str, Path]) -> None:
    place = _place(member.name, places)
    if member.kind == "twin":
        _twin(_place(member.target, places), place)
        return
    with place.open("xb") as file:
        for part in member.data():
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _twin(first: Path, place: Path) -> None:
    try:
        os.link(first, place)
    except OSError:  # on two disks, or where there are no such links
        shutil.copy2(first, place)


def _place(name: str, places: dict[str, Path]) -> Path:
    """Where a member is staged, its folder made."""
    root, _, below = name.partition("/")
    if root not in places:
        raise ConflictError(
            f"The backup has {root}/, and this service keeps no {root} under its home.",
            "Leave TRAPO_DATA_DIR unset while restoring.",
        )
    place = places[root] / STAGE / below
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _publish(root: Path) -> None:
    names = sorted(entry.name for entry in (root / STAGE).iterdir())
    (root / STAGE / NAMES).write_text(json.dumps(names))
    for name in names:
        (root / STAGE / name).rename(root / name)


def main() -> None:
    """Prints the facts as JSON."""
    parser = argparse.ArgumentParser(prog="python -m runs.upkeep.restore")
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    settings = Settings()
    archive.tell(lambda: restore(make_engine(settings.database_url), settings, given.file))


if __name__ == "__main__":
    main()
