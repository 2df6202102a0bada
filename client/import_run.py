"""A run's folder from elsewhere as a run of the service: its `events.jsonl`, or its TensorBoard files."""

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from client import tensorboard_read
from client.api import Client
from client.errors import UsageError
from client.frames import needed
from client.models import RunDetail
from trapo_core.errors import SpecError
from trapo_core.events import EVENTS_FILE
from trapo_core.run_folder import SPEC_FILE
from trapo_core.spec import parse_spec

Tell = Callable[[str], None]


def import_run(client: Client, folder: Path, name: str | None, rollouts: bool, tell: Tell) -> RunDetail:
    """The run; the same one if the same was imported before. `tell` hears what is going on."""
    files = sorted((folder / "rollouts").glob("step-*.parquet")) if rollouts else []
    with _body(folder, name, tell) as (body, has_spec):
        if has_spec and files:
            needed("pyarrow", extra="parquet")
        tell(f"sending {body.stat().st_size / 1e6:.1f} MB")
        run = client.import_events(body)
    for file in files if has_spec else []:
        tell(f"sending rollouts/{file.name}")
        _send_rollouts(client, run, file)
    return run


@contextmanager
def _body(folder: Path, name: str | None, tell: Tell) -> Iterator[tuple[Path, bool]]:
    """(the request's body, whether there is a spec). The file is gone at the end."""
    events = folder / EVENTS_FILE
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", "Give the folder of a run.")
    if not events.is_file() and not tensorboard_read.event_files(folder):
        raise UsageError(f"{folder} has no {EVENTS_FILE} and no TensorBoard files.", "Give the folder of a run.")
    spec = _spec(folder, tell) if events.is_file() else None
    header = {
        "type": "import", "source": "trapo" if events.is_file() else "tensorboard",
        "name": (name or (spec or {}).get("name") or folder.resolve().name or "import")[:120],
        "tags": (spec or {}).get("tags", []), "spec": spec,
    }  # fmt: skip
    number, path = tempfile.mkstemp(prefix="trapo-import-", suffix=".jsonl")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            if events.is_file():
                with events.open("rb") as lines:
                    # A process that was killed leaves half a line, which nobody reads.
                    file.writelines(line for line in lines if line.endswith(b"\n"))
            else:
                tell("reading TensorBoard files")
                file.writelines(one.model_dump_json().encode() + b"\n" for one in tensorboard_read.read(folder))
        yield Path(path), spec is not None
    finally:
        Path(path).unlink()


def _spec(folder: Path, tell: Tell) -> dict[str, Any] | None:
    path = folder / SPEC_FILE
    if not path.is_file():
        return None
    try:
        return parse_spec(json.loads(path.read_text())).model_dump(mode="json")
    except (SpecError, ValueError) as error:
        tell(f"without a spec, for {path} is none of this version: {error}")
        return None


def _send_rollouts(client: Client, run: RunDetail, file: Path) -> None:
    pq = needed("pyarrow", "pyarrow.parquet", "parquet")
    step = int(file.stem.removeprefix("step-"))
    with tempfile.NamedTemporaryFile(prefix="trapo-import-") as lines:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(256):
                for row in batch.to_pylist():
                    lines.write(json.dumps(_finite(row)).encode() + b"\n")
        lines.flush()
        client.import_rollouts(run.id, step, Path(lines.name))


def _finite(value: Any) -> Any:
    """JSON has no NaN; null means not known there."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
