"""Checkpoints: listed, pinned, downloaded, and promoted to a name that a spec may give as its model."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.deps import Config, Db, NeedsSubmit, Submitter
from api.ranges import BYTES, download
from api.schemas.base import Page
from api.schemas.checkpoints import Alias, Checkpoint, CheckpointFile, Promotion
from runs.db import reading, writing
from runs.errors import NotFoundError
from runs.inputs import registry
from runs.life import store
from runs.record import checkpoints, downloads
from runs.settings import Settings
from runs.tables import CheckpointRow

router = APIRouter(tags=["checkpoints"])
Step = Annotated[int, InPath(ge=0, lt=2**31)]
ALIAS = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"
ONE = "/runs/{run_id}/checkpoints/{step}"


@router.get("/runs/{run_id}/checkpoints")
def list_checkpoints(run_id: str, db: Db, config: Config) -> Page[Checkpoint]:
    """Those still on disk; a run keeps its last few, and those that are pinned."""
    with reading(db) as session:
        store.get_run(session, run_id)
        rows = checkpoints.on_disk(session, run_id, config.run_dir(run_id))
        return Page(data=[_shown(session, config, row) for row in rows])


@router.post(f"{ONE}/pin", dependencies=[NeedsSubmit])
def pin_checkpoint(run_id: str, step: Step, db: Db, config: Config) -> Checkpoint:
    """Never deleted while it is pinned."""
    return _pin(db, config, run_id, step, True)


@router.post(f"{ONE}/unpin", dependencies=[NeedsSubmit])
def unpin_checkpoint(run_id: str, step: Step, db: Db, config: Config) -> Checkpoint:
    return _pin(db, config, run_id, step, False)


@router.post(f"{ONE}/promote")
def promote_checkpoint(
    run_id: str, step: Step, body: Promotion, db: Db, config: Config, caller: Submitter
) -> Alias:  # fmt: skip
    """Let the alias stand for this checkpoint: `{"source": "folder", "path": ALIAS}` is then a spec's model. A run
    keeps what the alias named when it was submitted."""
    return Alias.model_validate(checkpoints.promote(db, config, run_id, step, body.alias, caller.principal))


@router.get("/aliases")
def list_aliases(db: Db) -> Page[Alias]:
    """Checkpoints with a name, by name."""
    with reading(db) as session:
        return Page(data=[Alias.model_validate(row) for row in checkpoints.aliases(session)])


@router.delete("/aliases/{name}", status_code=204, dependencies=[NeedsSubmit])
def delete_alias(name: Annotated[str, InPath(pattern=ALIAS)], db: Db, config: Config) -> None:
    """The name alone: the model stays for the runs that were given it. 409 while one of them is not over."""
    with writing(db) as session:
        registry.remove_alias(session, config, name)


@router.get(f"{ONE}/files")
def list_checkpoint_files(run_id: str, step: Step, db: Db, config: Config) -> Page[CheckpointFile]:
    found = checkpoints.files(_folder(db, config, run_id, step))
    return Page(data=[CheckpointFile(name=name, bytes=path.stat().st_size) for name, path in found.items()])


@router.get(f"{ONE}/files/{{name:path}}", response_class=StreamingResponse, responses=BYTES)
def read_checkpoint_file(
    run_id: str, step: Step, name: str, request: Request, db: Db, config: Config
) -> StreamingResponse:  # fmt: skip
    """One file by a name of the list; takes Range, and says its sha256 in `Repr-Digest`."""
    path = checkpoints.files(_folder(db, config, run_id, step)).get(name)
    if path is None:
        raise NotFoundError(f"The checkpoint has no file {name!r}.", "See …/files for those it has.")
    return download(downloads.of_file(path), path.name, "application/octet-stream", request.headers)


@router.get(f"{ONE}/tar", response_class=StreamingResponse, responses=BYTES)
def read_checkpoint_tar(run_id: str, step: Step, request: Request, db: Db, config: Config) -> StreamingResponse:
    """The whole folder as a tar; takes Range, and says its sha256 in `Repr-Digest`."""
    folder = _folder(db, config, run_id, step)
    pieces = downloads.of_tar(checkpoints.files(folder), folder.name)
    return download(pieces, f"{run_id}-{folder.name}.tar", "application/x-tar", request.headers)


def _folder(db: Engine, config: Settings, run_id: str, step: int) -> Path:
    run_dir = config.run_dir(run_id)
    with reading(db) as session:
        store.get_run(session, run_id)
        return checkpoints.folder_of(run_dir, checkpoints.find(session, run_id, run_dir, step))


def _pin(db: Engine, config: Settings, run_id: str, step: int, wanted: bool) -> Checkpoint:
    """A pin is a file, but who set it is noted in a transaction."""
    run_dir = config.run_dir(run_id)
    with writing(db) as session:
        store.get_run(session, run_id)
        row = checkpoints.find(session, run_id, run_dir, step)
        checkpoints.pin(checkpoints.folder_of(run_dir, row), wanted)
        return _shown(session, config, row)


def _shown(session: Session, config: Settings, row: CheckpointRow) -> Checkpoint:
    named = [
        alias.name for alias in checkpoints.aliases(session) if (alias.run_id, alias.step) == (row.run_id, row.step)
    ]
    return Checkpoint(
        step=row.step, path=row.path, bytes=row.bytes, sha256=row.sha256, created_at=row.created_at,
        pinned=checkpoints.is_pinned(checkpoints.folder_of(config.run_dir(row.run_id), row)), aliases=named,
    )  # fmt: skip
