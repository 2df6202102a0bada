"""What a spec can name: model folders under the models root, problem files under the data root.

An operator registers by putting something there, or by `registration.py`. What cannot be used is listed too, with what
is wrong. Files are read again only when their size or time changed, and weights never: their digest is known where a
run saved them.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile
from sqlalchemy import select
from sqlalchemy.orm import Session

from runs.errors import ConflictError, NotFoundError
from runs.record.checkpoints import PROMOTED, aliases
from runs.settings import Settings
from runs.states import FINAL
from runs.tables import AliasRow, RunRow
from trapo_core.data import FORMATS, load_problems, read_rows
from trapo_core.errors import DataError, ModelError
from trapo_core.model_files import check_model_folder
from trapo_core.shapes import ModelShape, config_shape
from trapo_core.sources import FileData

SUFFIXES = frozenset({".jsonl", ".parquet"})
COUNTED_BYTES = 64 << 20  # problems of larger files are not counted while somebody waits
MOST = 1000  # of a page


@dataclass(frozen=True)
class Model:
    """`problem` says why no run can use it."""

    name: str
    kind: Literal["folder", "alias"]
    architecture: str | None = None
    parameters: int | None = None
    bytes: int = 0
    sha256: str | None = None
    run_id: str | None = None
    step: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Dataset:
    """`format` is the first reader that takes the first row; `problem` says why no run can use it."""

    name: str
    format: str | None = None
    rows: int | None = None
    problems: int | None = None
    traces: bool | None = None
    columns: tuple[str, ...] = ()
    bytes: int = 0
    problem: str | None = None


# ------------------------------------------------------------------------------------------------------------ models


def models(session: Session, root: Path, limit: int | None = None, after: str = "") -> list[Model]:
    """By name, those after that one. What is promoted without a name is not among them."""
    named = {alias.name: alias for alias in aliases(session)}
    entries = [path for path in root.iterdir() if path.is_dir() or path.is_symlink()] if root.is_dir() else []
    names = {path.name for path in entries if not path.name.startswith(".") and path.name != PROMOTED}
    return [describe_model(root, name, named.get(name)) for name in _following(names | named.keys(), after, limit)]


def _following(names: Iterable[str], after: str, limit: int | None) -> list[str]:
    return sorted(name for name in names if name > after)[:limit]


def describe_model(root: Path, name: str, alias: AliasRow | None = None) -> Model:
    origin: dict[str, Any] = {"kind": "folder"}
    if alias:
        origin = {"kind": "alias", "sha256": alias.sha256, "run_id": alias.run_id, "step": alias.step}
    if not (root / name).resolve().is_relative_to(root.resolve()):
        return Model(name, **origin, problem="It is a link that leads out of the models root; copy the folder.")
    try:
        folder = check_model_folder(name, root)
        size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    except ModelError as error:
        return Model(name, **origin, problem=f"{error.message} {error.hint}".replace(str(root), "the models root"))
    except OSError as error:
        return Model(name, **origin, problem=f"It cannot be read: {error.strerror}.")
    config = folder / "config.json"
    shape = config_shape(config)
    parameters = shape.parameters if isinstance(shape, ModelShape) else None
    return Model(name, **origin, architecture=_architecture(config), parameters=parameters, bytes=size)


def _architecture(config: Path) -> str | None:
    try:
        told = json.loads(config.read_text(encoding="utf-8"))
        return str((told.get("architectures") or [told["model_type"]])[0])
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        return None


def remove_alias(session: Session, settings: Settings, name: str) -> None:
    """The name goes; the model stays for the runs that were given it. ConflictError while one of them is not over."""
    alias = session.get(AliasRow, name)
    if alias is None:
        raise NotFoundError(f"There is no alias {name}.", "GET /api/v1/aliases lists those there are.")
    going = select(RunRow.id, RunRow.spec).where(RunRow.state.not_in(FINAL), RunRow.deleted_at.is_(None))
    for run_id, spec in session.execute(going):
        if spec["model"].get("path") in (name, alias.path):
            raise ConflictError(f"Run {run_id} begins with {name} and is not over.", "Wait for it, or cancel it.")
    session.delete(alias)
    session.flush()
    link = settings.models_root / name
    if link.is_symlink():
        link.unlink()


# ---------------------------------------------------------------------------------------------------------- data sets


def datasets(root: Path, limit: int | None = None, after: str = "") -> list[Dataset]:
    """By name, which is the path below the root; those after that one."""
    if not root.is_dir():
        return []
    found = (path.relative_to(root) for path in root.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    names = (str(path) for path in found if not any(part.startswith(".") for part in path.parts))
    return [describe_dataset(root, name) for name in _following(names, after, limit)]


def describe_dataset(root: Path, name: str) -> Dataset:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        return Dataset(name, problem="It is a link that leads out of the data root; copy the file.")
    try:
        facts = path.stat()
    except OSError as error:
        return Dataset(name, problem=f"It cannot be read: {error.strerror}.")
    return _read(root, name, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4 * MOST)
def _read(root: Path, name: str, size: int, changed_ns: int) -> Dataset:  # noqa: ARG001 -- the key of what was read
    path = root / name
    try:
        first = next(read_rows(path), None)
        if first is None:
            return Dataset(name, rows=0, bytes=size, problem="It holds no rows.")
        columns = tuple(map(str, first.fields))
        chosen = next(_formats(path), None)
        if chosen is None:
            text = f"No format fits its first row, which has {', '.join(columns)}; there are {', '.join(FORMATS)}."
            return Dataset(name, columns=columns, bytes=size, problem=text)
        if size > COUNTED_BYTES:
            rows = ParquetFile(path).metadata.num_rows if path.suffix == ".parquet" else None
            return Dataset(name, chosen, rows, columns=columns, bytes=size)
        rows = sum(1 for _ in read_rows(path))
        problems = load_problems(FileData.model_validate({"format": chosen, "path": name}), root)
        traces = all(problem.traces for problem in problems)
        return Dataset(name, chosen, rows, len(problems), traces, columns, size)
    except DataError as error:
        return Dataset(name, bytes=size, problem=f"{error.message} {error.hint}".replace(f"{root}/", ""))
    except (ArrowException, OSError) as error:
        return Dataset(name, bytes=size, problem=f"It cannot be read: {type(error).__name__}.")


def _formats(path: Path) -> Iterator[str]:
    """Those that take the first row; of several the one that reads most of it: its traces too."""
    fitting = []
    for name, read in FORMATS.items():
        for row in islice(read_rows(path), 1):
            try:
                fitting.append((name, len(read(row)[2])))
            except DataError:
                continue
    yield from (name for name, _ in sorted(fitting, key=lambda one: -one[1]))
