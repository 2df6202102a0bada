"""Runs that were made elsewhere: their lines are checked, then read by the same `ingest.py` as any other's.

All or nothing. The body lies in a temporary file until every line of it is checked. Then the run is made *hidden*:
marked as deleted, and running without a lease, so that no list shows it, nobody claims it and no sweeper takes it for
lost; if this process dies, the sweeper removes it like any deleted run. Only when all is read does one transaction show
it, move it to its end and note the Idempotency-Key.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session
from ulid import ULID

from runs.db import AUTHOR, now, reading, writing
from runs.errors import TooLargeError
from runs.foreign.import_lines import MOST_BYTES, Told, read_header, take
from runs.life import store
from runs.life.leases import Lease
from runs.life.removal import remove_run
from runs.life.submission import Order, Service
from runs.life.transitions import append_event, move, state_of
from runs.record.ingest import ingest
from runs.settings import Settings
from runs.states import REASONS, Desired, Outcome, State
from runs.tables import AttemptRow, RunRow
from trapo_core.events import EVENTS_FILE, Ended

OWNER = "import"
FENCE = 1
STRAY_S = 3600.0  # after which a body that nobody wrote on was left by a process that died


@dataclass
class Body:
    """A request's body on its way to the disk."""

    file: IO[bytes]
    limit: int
    size: int = 0

    def __post_init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self.limit:
            raise TooLargeError(f"An import may have at most {self.limit} bytes.", "TRAPO_MAX_IMPORT_BYTES sets it.")
        self._sha256.update(chunk)
        self.file.write(chunk)

    @property
    def digest(self) -> str:
        return self._sha256.hexdigest()


@contextmanager
def incoming(settings: Settings) -> Iterator[Body]:
    """A body in a file that is gone at the end, and a look for those that others left."""
    folder = settings.home / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    for stray in folder.iterdir():
        if stray.stat().st_mtime < time.time() - STRAY_S:
            stray.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        yield Body(file, settings.max_import_bytes)


def make(service: Service, body: Body, order: Order) -> tuple[RunRow, bool]:
    """(the run, whether it is new)."""
    asked = {"import": body.digest}
    with reading(service.engine) as session:
        if before := store.replayed(session, order.principal, order.key, asked):
            return before, False
    service.check_room()
    # The caller's one deed is the last transaction; those before it are no one's.
    engine = service.engine.execution_options(**{AUTHOR: None})
    run_id = f"run_{ULID()}"
    run_dir = service.settings.run_dir(run_id)
    run_dir.mkdir(parents=True)
    try:
        told = _checked(body, run_dir / EVENTS_FILE)
        with writing(engine) as session:
            _hidden(session, run_id, told, order.principal)
        ingest(engine, Lease(run_id, 0, FENCE, {}), run_dir)
        shown, fresh = _shown(service.engine, run_id, told, order, asked)
    except BaseException:
        remove_run(engine, service.settings, run_id)
        raise
    if not fresh:
        remove_run(engine, service.settings, run_id)
    return shown, fresh


def _checked(body: Body, target: Path) -> Told:
    """Every line, taken or refused; those after the header are in `target` then."""
    body.file.seek(0)
    told = read_header(body.file.readline(MOST_BYTES + 1))
    with target.open("wb") as file:
        number = 1
        while line := body.file.readline(MOST_BYTES + 1):
            number += 1
            file.write(take(told, number, line))
        file.flush()
        os.fsync(file.fileno())
    return told


def _hidden(session: Session, run_id: str, told: Told, principal: str) -> None:
    spec, first = told.spec, told.times[0] if told.times else None
    run = RunRow(
        id=run_id, kind=spec.kind if spec else "import", name=told.header.name, tags=list(told.header.tags),
        method=getattr(spec, "method", None), spec=spec.model_dump(mode="json") if spec else {}, gpus=0,
        created_by=principal, imported_from=told.header.source, total_steps=getattr(spec, "total_steps", 0), summary={},
        state=State.running, owner=OWNER, fence=FENCE, attempts=len(told.starts), started_at=first, deleted_at=now(),
    )  # fmt: skip
    session.add(run)
    session.flush()
    made = {"kind": run.kind, "name": run.name, "method": run.method, "imported_from": run.imported_from}
    append_event(session, run_id, "run_created", made | state_of(run))
    for number, start in enumerate(told.starts, 1):
        end = told.ends.get(number)
        session.add(
            AttemptRow(
                run_id=run_id, number=number, fence=FENCE, worker_id=OWNER, host="", started_at=start.ts,
                ended_at=end.ts if end else None, reason=end.reason if end else None, gpu_ids=[],
            )
        )  # fmt: skip


def _shown(engine: Engine, run_id: str, told: Told, order: Order, asked: dict[str, str]) -> tuple[RunRow, bool]:
    end = outcome(told.ended)
    with writing(engine) as session:
        if before := store.replayed(session, order.principal, order.key, asked):  # its twin was faster
            return before, False
        session.execute(update(RunRow).where(RunRow.id == run_id, RunRow.fence == FENCE).values(deleted_at=None))
        message = told.ended.message if told.ended else ""
        run = move(
            session, run_id, end.state, sources=frozenset({State.running}), fence=FENCE, reason=end.reason,
            message=message, desired=Desired.run,
        )  # fmt: skip
        if told.times:
            run.ended_at = told.times[-1]
        if order.key:
            store.remember(session, order.principal, order.key, asked, run_id=run_id)
        session.flush()
    return run, True


def outcome(ended: Ended | None) -> Outcome:
    """How it ended, by its last attempt's goodbye. Nothing goes on here, so what would be tried again has failed."""
    if ended is None or ended.outcome == "stopped":
        return Outcome(State.cancelled, "unfinished")
    if ended.outcome == "succeeded":
        return Outcome(State.succeeded, None)
    known = ended.reason in REASONS and REASONS[ended.reason].state is State.failed
    return Outcome(State.failed, ended.reason if known else "exit_nonzero")
