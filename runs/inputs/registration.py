"""`python -m runs.inputs.registration model|dataset add|rm …`: what an operator puts under the models and data
roots, or takes away.

What is added is judged as the lists judge it (`registry.py`) and is there whole or not at all. It is hard-linked where
the file system allows. Nothing goes that a run which is not over names.
"""

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from runs.db import make_engine, writing
from runs.errors import ConflictError, NotFoundError
from runs.files import link_or_copy, remove_folder
from runs.inputs import registry
from runs.migrate import is_current
from runs.record.checkpoints import PROMOTED
from runs.settings import Settings
from runs.states import FINAL
from runs.tables import AliasRow, RunRow
from runs.upkeep.kept_files import is_temporary
from trapo_core.errors import DataError, ModelError, TrapoError
from trapo_core.model_files import PICKLES, check_model_folder

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
LETTERS = "Names have at most 64 letters, digits, dots, dashes and underscores, first a letter or digit: give --name."


@dataclass(frozen=True)
class Added:
    """`spec` is what a spec writes to use it; `left_out` is what was in the folder and is no part of the model."""

    name: str
    path: str
    spec: dict[str, Any]
    facts: dict[str, Any]
    left_out: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------------------- models


def add_model(settings: Settings, source: Path, name: str | None = None) -> Added:
    """Raises ModelError if no run could use the folder, ConflictError if the name is taken."""
    root, folder = settings.models_root, source.expanduser().resolve()
    if not folder.is_dir():
        raise ModelError(f"There is no folder {folder}.", "Give one that save_pretrained wrote.")
    check_model_folder(str(folder), root)
    chosen = folder.name if name is None else name
    if not NAME.fullmatch(chosen) or chosen == PROMOTED or is_temporary(chosen):
        raise ModelError(f"{chosen!r} cannot be a model's name.", LETTERS)
    files, left_out = model_files(folder)
    _refuse_taken(root / chosen)
    with _Staged(root / chosen) as staged:
        staged.mkdir(parents=True)
        for path in files:
            link_or_copy(path.resolve(), staged / path.name)
        facts = registry.describe_model(root, staged.name)
        if facts.problem:
            raise ModelError(facts.problem.replace(staged.name, folder.name))
    spec = {"model": {"source": "folder", "path": chosen}}
    return Added(chosen, str(root / chosen), spec, {**asdict(facts), "name": chosen}, tuple(left_out))


def model_files(folder: Path) -> tuple[list[Path], list[str]]:
    """The files of a model, and the names of what is none: folders, hidden files, pickles. Raises ModelError if a link
    leads out: what it leads to would be copied into a place that users can read. (A snapshot in the Hub's cache is made
    of links into its repository's folder there, which is not out.)"""
    inside = folder.parents[1] if folder.parent.name == "snapshots" else folder
    files, left_out = [], []
    for path in sorted(folder.iterdir()):
        hidden_or_pickled = path.name.startswith(".") or any(path.match(pattern) for pattern in PICKLES)
        if hidden_or_pickled or not (path.is_file() or path.is_symlink()):
            left_out.append(path.name)
        elif not path.resolve().is_relative_to(inside) or not path.is_file():
            raise ModelError(f"{path} is a link that leads out of the folder, or nowhere.", "Put the file there.")
        else:
            files.append(path)
    return files, left_out


def remove_model(engine: Engine, settings: Settings, name: str) -> None:
    """A folder, or an alias. ConflictError while a run that is not over begins with it."""
    path = settings.models_root / name
    if PurePosixPath(name).name != name or name in ("", "..", PROMOTED) or is_temporary(name):
        raise NotFoundError(f"There is no model {name!r}.", "`trapo models` lists those there are.")
    with writing(engine) as session:
        if session.get(AliasRow, name):
            return registry.remove_alias(session, settings, name)
        if path.is_symlink():  # made by hand; runs were given what it leads to
            return path.unlink()
        if not path.is_dir():
            raise NotFoundError(f"There is no model {name!r}.", "`trapo models` lists those there are.")
        _refuse_used(session, name, settings.models_root, path, model_names)
        # In the transaction, in which no run is stored; its files go after it.
        doomed = path.rename(path.with_name(f".{name}-{os.urandom(4).hex()}.tmp"))
    remove_folder(doomed)


# ---------------------------------------------------------------------------------------------------------- data sets


def add_dataset(settings: Settings, source: Path, name: str | None = None) -> Added:
    """Raises DataError if no run could use the file, ConflictError if the name is taken."""
    root, file = settings.data_root, source.expanduser().resolve()
    if not file.is_file():
        raise DataError(f"There is no file {file}.", "Give a .jsonl or .parquet file.")
    chosen = file.name if name is None else name
    if not all(NAME.fullmatch(part) and not is_temporary(part) for part in chosen.split("/")):
        raise DataError(f"{chosen!r} cannot be a data set's name.", f"{LETTERS} Folders are parted by '/'.")
    if file.suffix not in registry.SUFFIXES or PurePosixPath(chosen).suffix != file.suffix:
        raise DataError(
            f"{file.name} as {chosen}: a data set is a .jsonl or .parquet file, and its name ends alike.",
            "Convert it, or give another --name.",
        )
    facts = registry.describe_dataset(file.parent, file.name)
    if facts.problem:
        raise DataError(facts.problem, "The schemas are in docs/evaluation.md and trapo_core/data.py.")
    target = root / chosen
    if not target.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{chosen} would lie outside of the data root.", "Give another --name.")
    _refuse_taken(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _Staged(target) as staged:
        link_or_copy(file, staged)
    spec = {"data": {"format": facts.format, "path": chosen}}
    return Added(chosen, str(target), spec, {**asdict(facts), "name": chosen})


def remove_dataset(engine: Engine, settings: Settings, name: str) -> None:
    """ConflictError while a run that is not over reads it."""
    path, named = settings.data_root / name, PurePosixPath(name)
    safe = not named.is_absolute() and ".." not in named.parts and named.suffix in registry.SUFFIXES
    if not safe or not (path.is_file() or path.is_symlink()):
        raise NotFoundError(f"There is no data set {name!r}.", "`trapo datasets` lists those there are.")
    with writing(engine) as session:
        _refuse_used(session, name, settings.data_root, path, data_names)
        path.unlink()


# ------------------------------------------------------------------------------------------------------------ common


class _Staged:
    """A temporary name beside `target`, which is renamed to it in the end, or removed."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.temporary = target.with_name(f".{target.name}-{os.urandom(4).hex()}.tmp")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, failed: object, *_: object) -> None:
        try:
            if failed is None:
                _refuse_taken(self.target)
                self.temporary.rename(self.target)
        finally:
            shutil.rmtree(self.temporary) if self.temporary.is_dir() else self.temporary.unlink(missing_ok=True)


def _refuse_taken(target: Path) -> None:
    if os.path.lexists(target):
        raise ConflictError(f"{target} is there already.", "Give another --name, or remove that first.")


def _refuse_used(
    session: Session, name: str, root: Path, path: Path, names: Callable[[Any], Iterator[str]]
) -> None:  # fmt: skip
    going = select(RunRow.id, RunRow.spec).where(RunRow.state.not_in(FINAL), RunRow.deleted_at.is_(None))
    for run_id, spec in session.execute(going):
        if any((root / one).resolve().is_relative_to(path.resolve()) for one in names(spec)):
            raise ConflictError(f"Run {run_id} names {name} and is not over.", "Wait for it, or cancel it.")


def model_names(spec: Any) -> Iterator[str]:
    """Of the model folder that a stored spec names."""
    model = (spec or {}).get("model") or {}
    if model.get("source") == "folder":
        yield model["path"]


def data_names(spec: Any) -> Iterator[str]:
    """Of every file under the data root that a stored spec names, wherever in it."""
    if isinstance(spec, dict):
        if "format" in spec and isinstance(spec.get("path"), str) and not spec.get("hub"):
            yield spec["path"]
        for part in spec.values():
            yield from data_names(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from data_names(part)


def _do(given: argparse.Namespace) -> dict[str, Any]:
    settings = Settings()
    if given.deed == "add":
        add = add_model if given.kind == "model" else add_dataset
        return asdict(add(settings, Path(given.what), given.name))
    engine = make_engine(settings.database_url)
    if not is_current(engine):
        raise ConflictError("The database has not the newest schema.", "Run `python -m runs.migrate` first.")
    remove = remove_model if given.kind == "model" else remove_dataset
    remove(engine, settings, given.what)
    return {"name": given.what}


def main() -> None:
    """Prints the facts as JSON."""
    parser = argparse.ArgumentParser(prog="python -m runs.inputs.registration")
    parser.add_argument("kind", choices=["model", "dataset"])
    parser.add_argument("deed", choices=["add", "rm"])
    parser.add_argument("what", help="a folder or file to add, or the name of what is to go")
    parser.add_argument("--name", help="default: the folder's or the file's own")
    try:
        facts = _do(parser.parse_args())
    except TrapoError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}.")
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
