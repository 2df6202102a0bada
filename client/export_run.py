"""A run of the service as files: curves, scores, guidance, events, spec, and rollouts if asked.

All of it is made in a folder beside the target, which is renamed at the end: nothing half-made is left.
"""

import csv
import json
import os
import shutil
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, get_args

from client.api import Client
from client.download import TIMEOUT
from client.errors import ApiError, UsageError
from client.frames import needed
from client.models import GuidanceStep, RunDetail, RunEvent
from trapo_core.events import EVENTS_FILE, Event
from trapo_core.rollout_names import file_name
from trapo_core.run_folder import SPEC_FILE
from trapo_core.tensorboard_file import TensorBoardFile

Format = Literal["parquet", "csv", "tensorboard"]
Tell = Callable[[str], None]
TOLD = frozenset(get_args(one.model_fields["type"].annotation)[0] for one in get_args(get_args(Event)[0]))
GUIDANCE_STEPS = 2000  # as many as the service answers with without adding any up
SLOT_COLUMNS = ("step", "slot", "ratio", "guided", "guided_reward", "unguided", "unguided_reward")
LENGTH_COLUMNS = ("step", "bin_tokens", "bin", "count")
SCORE_COLUMNS = (
    "step", "benchmark", "metric", "score", "low", "high", "confidence", "interval", "problems", "samples",
)  # fmt: skip


def export_run(client: Client, run_id: str, target: Path, form: Format, rollouts: bool, tell: Tell) -> Path:
    """`target`, which must not be there yet; `tell` hears what is being fetched."""
    _check_packages(form)
    run = client.get(run_id)
    with _made_whole(target) as folder:
        _write_json(folder / "run.json", run.model_dump(mode="json", exclude={"spec"}))
        if run.spec:
            _write_json(folder / SPEC_FILE, run.spec)
        tell("events")
        seen = _write_history(folder / "history.jsonl", client.events(run_id))
        if seen.told:
            _fetch(client, f"/runs/{run_id}/events-file", folder / EVENTS_FILE)
        tell("scores and guidance")
        table = _write_parquet if form == "parquet" else _write_csv
        scores = [score.model_dump() for score in client.scores(run_id)]
        table(folder / "scores", SCORE_COLUMNS, scores)
        steps = list(_guidance(client, run))
        table(
            folder / "guidance",
            SLOT_COLUMNS,
            [{"step": g.step, **slot.model_dump()} for g in steps for slot in g.slots],
        )
        table(folder / "prefix_lengths", LENGTH_COLUMNS, [row for step in steps for row in _lengths(step)])
        tell("points")
        _write_points(client, run, folder, form, scores, seen)
        if rollouts:
            _write_rollouts(client, run_id, folder, seen, tell)
    return target


@dataclass
class Seen:
    """What the events say that other files need."""

    times: dict[int, float]  # of steps
    rollout_steps: list[int]
    told: bool = False  # the process has said something


def _check_packages(form: Format) -> None:
    if form == "parquet":
        needed("pyarrow", extra="parquet")
    elif form == "tensorboard":
        needed("tensorboard")


@contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    if target.exists():
        raise UsageError(f"{target} exists.", "Give another --out.")
    half_made = target.with_name(f".{target.name}.{os.getpid()}.part")
    half_made.mkdir(parents=True)
    try:
        yield half_made
        half_made.rename(target)
    finally:
        shutil.rmtree(half_made, ignore_errors=True)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def _write_history(path: Path, events: Iterator[RunEvent]) -> Seen:
    """What the service says of the run; of what the process told only what other files need."""
    seen = Seen({}, [])
    with path.open("w") as history:
        for event in events:
            seen.told = seen.told or event.type in TOLD
            if event.type not in TOLD:
                history.write(json.dumps({"ts": event.ts.isoformat(), "type": event.type, **event.data}) + "\n")
            elif event.type in ("step", "score"):
                seen.times[event.data["step"]] = event.ts.timestamp()
            elif event.type == "rollouts":
                seen.rollout_steps.append(event.data["step"])
    return seen


def _guidance(client: Client, run: RunDetail) -> Iterator[GuidanceStep]:
    for first in range(0, run.step + 1, GUIDANCE_STEPS):
        part = client.guidance(run.id, GUIDANCE_STEPS, first, first + GUIDANCE_STEPS - 1)
        yield from part.data


def _lengths(step: GuidanceStep) -> Iterator[dict[str, int]]:
    """Bin 0 has no prefix, bin i lengths in ((i-1)·bin_tokens, i·bin_tokens]."""
    for place, count in enumerate(step.prefix_lengths.counts):
        yield {"step": step.step, "bin_tokens": step.prefix_lengths.bin_tokens, "bin": place, "count": count}


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    pa, pq = needed("pyarrow", extra="parquet"), needed("pyarrow", "pyarrow.parquet", "parquet")
    table = pa.table({name: [row[name] for row in rows] for name in columns})
    pq.write_table(table, path.with_suffix(".parquet"), compression="zstd")


# ------------------------------------------------------------------------------------------------------------ points


def _write_points(
    client: Client, run: RunDetail, folder: Path, form: Format, scores: Sequence[Mapping[str, Any]], seen: Seen
) -> None:  # fmt: skip
    path = folder / "points.csv"
    _fetch(client, f"/runs/{run.id}/points", path)
    if form == "parquet":
        _points_to_parquet(path)
    elif form == "tensorboard":
        _points_to_tensorboard(path, folder / "tensorboard", run, scores, seen.times)
    if form != "csv":
        path.unlink()


def _points_to_parquet(path: Path) -> None:
    """In blocks: a run may have more points than memory."""
    pa, pq = needed("pyarrow", extra="parquet"), needed("pyarrow", "pyarrow.parquet", "parquet")
    pacsv = needed("pyarrow", "pyarrow.csv", "parquet")
    schema = pa.schema([("key", pa.dictionary(pa.int32(), pa.string())), ("step", pa.int64()), ("value", pa.float64())])
    # "NaN" is a value here, not a missing one.
    options = pacsv.ConvertOptions(column_types=schema, null_values=[], strings_can_be_null=False)
    with (
        pacsv.open_csv(path, convert_options=options) as blocks,
        pq.ParquetWriter(path.with_suffix(".parquet"), schema, compression="zstd") as writer,
    ):
        for block in blocks:
            writer.write_batch(block)


def _by_step(path: Path) -> Iterator[tuple[int, str, float]]:
    """The file is by key; here by step. As arrays, for there may be millions."""
    columns: dict[str, tuple[array[int], array[float]]] = {}
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for key, step, value in rows:
            if key not in columns:
                columns[key] = (array("q"), array("d"))
            steps, values = columns[key]
            steps.append(int(step))
            values.append(float(value))
    return merge(*(zip(steps, repeat(key), values, strict=False) for key, (steps, values) in columns.items()))


def _points_to_tensorboard(
    path: Path, folder: Path, run: RunDetail, scores: Sequence[Mapping[str, Any]], times: Mapping[int, float]
) -> None:  # fmt: skip
    began = (run.started_at or run.created_at).timestamp()
    out = TensorBoardFile(folder, 0, began)
    out.text("spec", run.spec, began)
    for step, points in groupby(_by_step(path), itemgetter(0)):
        out.scalars(step, {key: value for _, key, value in points}, times.get(step, began))
    for score in scores:
        key = f"score/{score['benchmark']}/{score['metric']}"
        values = {key: score["score"], f"{key}/low": score["low"], f"{key}/high": score["high"]}
        out.scalars(score["step"], values, times.get(score["step"], began))
    out.close()


# ---------------------------------------------------------------------------------------------------------- rollouts


def _write_rollouts(client: Client, run_id: str, folder: Path, seen: Seen, tell: Tell) -> None:
    (folder / "rollouts").mkdir()
    for step in sorted(set(seen.rollout_steps)):
        tell(f"rollouts of step {step}")
        try:
            _fetch(client, f"/runs/{run_id}/rollout-files/{step}", folder / "rollouts" / file_name(step))
        except ApiError as error:
            if error.status != 404:  # superseded by a resume, or removed
                raise


def _fetch(client: Client, path: str, target: Path) -> None:
    def fetch() -> None:
        with client.opened(path, timeout=TIMEOUT) as answer, target.open("wb") as file:
            for chunk in answer.iter_bytes():
                file.write(chunk)

    client.patiently(fetch)
