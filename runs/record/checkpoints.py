"""A run's checkpoints on disk: found by step, pinned, and promoted to a name.

A pin is the file `pinned` in the checkpoint's folder: the training process, which knows no database, leaves such a
folder where it is. Promoting makes a model folder `promoted/RUN-step-N` under the models root, of hard links where the
file system allows, so it needs the run no longer; and a link beside it with the alias' name. `admission.py` follows the
link: a run keeps the model that its alias named when it was submitted.
"""

import os
import shutil
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from runs.db import reading, writing
from runs.errors import ConflictError, NotFoundError
from runs.files import link_or_copy
from runs.life import store
from runs.life.transitions import append_event
from runs.record import curves
from runs.settings import Settings
from runs.tables import AliasRow, CheckpointRow

PINNED = "pinned"
PROMOTED = "promoted"


def on_disk(session: Session, run_id: str, run_dir: Path) -> list[CheckpointRow]:
    """Those that count and were not deleted; a run keeps its last few."""
    rows = curves.checkpoints(session, run_id)
    return [row for row in rows if folder_of(run_dir, row).is_dir()]


def find(session: Session, run_id: str, run_dir: Path, step: int) -> CheckpointRow:
    for row in on_disk(session, run_id, run_dir):
        if row.step == step:
            return row
    raise NotFoundError(
        f"Run {run_id} has no checkpoint of step {step}.", "GET /api/v1/runs/{id}/checkpoints lists those there are."
    )


def folder_of(run_dir: Path, row: CheckpointRow) -> Path:
    """A process wrote the row's path; it may not lead out of the run's folder."""
    folder = (run_dir / row.path).resolve()
    return folder if folder.is_relative_to(run_dir.resolve()) else run_dir / "\uffff outside"


def is_pinned(folder: Path) -> bool:
    return (folder / PINNED).exists()


def pin(folder: Path, wanted: bool) -> None:
    """Keep this checkpoint, or let it go with the others of its age."""
    try:
        (folder / PINNED).touch() if wanted else (folder / PINNED).unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise NotFoundError("The checkpoint has just been deleted.", "Pin a newer one.") from error


def files(folder: Path) -> dict[str, Path]:
    """Every file of a checkpoint by its name within."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if name != PINNED and not path.is_symlink()}


# ------------------------------------------------------------------------------------------------------ promoting


def publish(settings: Settings, row: CheckpointRow) -> str:
    """The name of the checkpoint's model under the models root: without what only training needs, whole or absent."""
    version = f"{PROMOTED}/{row.run_id}-step-{row.step:06d}"
    model, folder = settings.models_root / version, folder_of(settings.run_dir(row.run_id), row)
    if model.is_dir():
        return version
    if not folder.is_dir():
        raise NotFoundError(f"The checkpoint of step {row.step} is no longer on the disk.", "Choose another.")
    temporary = model.with_name(f".{model.name}-{os.urandom(4).hex()}.tmp")
    temporary.mkdir(parents=True)
    try:
        for name, path in files(folder).items():
            if "/" not in name:
                link_or_copy(path, temporary / name)
        temporary.rename(model)
    except OSError:
        shutil.rmtree(temporary)
        if not model.is_dir():  # else a twin was faster
            raise
    return version


def promote(engine: Engine, settings: Settings, run_id: str, step: int, name: str, caller: str) -> AliasRow:
    """Let `name` stand for this checkpoint from now on. ConflictError if it is a model folder's own name."""
    with reading(engine) as session:
        store.get_run(session, run_id)
        row = find(session, run_id, settings.run_dir(run_id), step)
    publish(settings, row)  # before the transaction, for which all writers wait: on another disk it is a copy
    with writing(engine) as session:
        version = publish(settings, row)  # there already, unless `gc` took it in between
        link = settings.models_root / name
        if link.exists() and not link.is_symlink():
            raise ConflictError(f"{name} is a model folder of its own.", "Choose another alias.")
        alias = session.merge(
            AliasRow(name=name, run_id=run_id, step=step, sha256=row.sha256, path=version, created_by=caller)
        )
        append_event(session, run_id, "checkpoint_promoted", {"step": step, "alias": name})
        session.refresh(alias)
        _point(link, version)
    return alias


def aliases(session: Session) -> list[AliasRow]:
    return list(session.scalars(select(AliasRow).order_by(AliasRow.name)))


def _point(link: Path, target: str) -> None:
    temporary = link.with_name(f".{link.name}.link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, link)
