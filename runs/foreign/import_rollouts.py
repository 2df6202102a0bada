"""A step's rollouts for an imported run: a JSON line each in, the Parquet file that `rollouts.py` reads out.

They come as lines, not as a Parquet file of the caller's: what is read later is only what we wrote.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Engine

from runs.db import reading, writing
from runs.errors import ConflictError, ImportLineError
from runs.foreign.import_lines import check_form, problems_of
from runs.life import store
from runs.life.transitions import append_event
from runs.settings import Settings
from trapo_core.errors import FieldProblem
from trapo_core.rollout_names import file_name
from trapo_core.rollout_schema import ROWS_A_GROUP, SCHEMA

MOST_BYTES = 16 << 20  # of a line
Count = Annotated[int, Field(ge=0, lt=2**31)]
Small = Annotated[int, Field(ge=0, lt=2**15)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-3e38, le=3e38)]
Text = Annotated[str, Field(max_length=4_000_000)]


class Row(BaseModel):
    """The columns of `trapo_core/rollout_schema.py`."""

    model_config = ConfigDict(extra="forbid")

    step: Count
    problem: Text
    slot: Small
    sample: Small
    ratio: Number
    reward: Number
    outcome: Text
    detail: Text | None = None
    advantage: Number | None
    finish: Text
    prompt: Text
    answer: Text
    prefix: Text
    completion: Text
    prefix_tokens: Count
    token_ids: list[Count]
    logps: list[Annotated[Number, Field(le=1.0)] | None]
    entropies: list[Number | None]
    lengths: list[Count] | None = None

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        tokens = len(self.token_ids)
        each = (self.logps, self.entropies, self.lengths or self.token_ids)
        if any(len(column) != tokens for column in each) or self.prefix_tokens > tokens:
            raise ValueError("token_ids, logps, entropies and lengths have one length, and the prefix is no longer")
        return self


def store_rollouts(engine: Engine, settings: Settings, run_id: str, step: int, lines: IO[bytes]) -> None:
    """Take the place of what the step had. ConflictError for a run that was not imported, or has no spec."""
    with reading(engine) as session:
        run = store.get_run(session, run_id)
    if not run.imported_from or run.kind == "import" or run.deleted_at is not None:
        raise ConflictError(
            f"Run {run_id} takes no rollouts.", "Only a run that was imported with its spec, and is not deleted, does."
        )
    folder = settings.run_dir(run_id) / "rollouts"
    folder.mkdir(exist_ok=True)
    half_made = folder / f".{step}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        rows = _write(half_made, step, lines)
        with writing(engine) as session:
            append_event(session, run_id, "rollouts_imported", {"step": step, "rows": rows})
            half_made.rename(folder / file_name(step))
    finally:
        half_made.unlink(missing_ok=True)


def _write(path: Path, step: int, lines: IO[bytes]) -> int:
    count = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        held: list[dict[str, object]] = []
        for row in _rows(step, lines):
            held.append(row.model_dump())
            count += 1
            if len(held) == ROWS_A_GROUP:
                writer.write_table(pa.Table.from_pylist(held, SCHEMA))
                held.clear()
        writer.write_table(pa.Table.from_pylist(held, SCHEMA))
    return count


def _rows(step: int, lines: IO[bytes]) -> Iterator[Row]:
    lines.seek(0)
    number = 0
    while line := lines.readline(MOST_BYTES + 1):
        number += 1
        check_form(number, line, MOST_BYTES)
        try:
            row = Row.model_validate_json(line)
        except ValidationError as error:
            raise ImportLineError(number, problems_of(number, error)) from error
        if row.step != step:
            raise ImportLineError(number, [FieldProblem(f"/{number}/step", f"it is of step {row.step}, not {step}.")])
        yield row
