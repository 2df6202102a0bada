"""A run's rollouts, read from `RUN_DIR/rollouts/step-*.parquet` (`trapo_core/rollout_files.py`): filtered and paged.

A rollout's id is `<step>-<row of its file>`. Files of steps above the run's step are not shown: a resume went back
before them and writes them again. Of a file only the columns that a filter asks for are read, and none where its
statistics say that no row can match; texts only of groups of rows with a match.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runs.errors import CursorError, NotFoundError, PatternError
from runs.record import row_groups
from trapo_core.rollout_names import file_name

# What is looked through before an answer goes out, full or not: a regular expression over long texts takes time.
FILES_A_PAGE = 200
SECONDS_A_PAGE = 3.0
SHOWN_CHARACTERS = 280
LAST_ROW = 2**31
_FACTS = (
    "step", "problem", "slot", "sample", "ratio", "reward", "outcome", "advantage", "finish", "prefix_tokens", "answer",
    "prompt", "completion",
)  # fmt: skip
_TEXTS = ("prompt", "prefix", "completion")


@dataclass(frozen=True)
class RolloutFilter:
    """None means any. `contains` and `matches`, a regular expression, are looked for in prompt, prefix and completion,
    whatever the case. Expressions are RE2's: they take time in proportion to the text, whatever they are."""

    step: int | None = None
    from_step: int | None = None
    to_step: int | None = None
    slot: int | None = None
    guided: bool | None = None
    problem: str | None = None
    finish: str | None = None
    outcome: str | None = None
    min_reward: float | None = None
    max_reward: float | None = None
    contains: str | None = None
    matches: str | None = None

    def __post_init__(self) -> None:
        try:
            pc.match_substring_regex(pa.array([""]), self.matches or "")
        except pa.ArrowInvalid as error:
            known = "RE2 has no look-around and no back-references, and counts to 1000."
            raise PatternError(f"{error}.".replace("..", "."), known) from error

    def has_step(self, step: int) -> bool:
        return (
            (self.step is None or step == self.step)
            and (self.from_step is None or step >= self.from_step)
            and (self.to_step is None or step <= self.to_step)
        )

    def ranges(self) -> dict[str, tuple[float | None, float | None]]:
        """Column: lowest and highest value that can match."""
        wanted: dict[str, tuple[float | None, float | None]] = {"reward": (self.min_reward, self.max_reward)}
        wanted["slot"] = (self.slot, self.slot)
        wanted["prefix_tokens"] = (1, None) if self.guided else (None, 0) if self.guided is False else (None, None)
        return {name: bounds for name, bounds in wanted.items() if bounds != (None, None)}

    def equal(self) -> dict[str, str]:
        wanted = {"problem": self.problem, "finish": self.finish, "outcome": self.outcome}
        return {name: value for name, value in wanted.items() if value is not None}


def page(
    run_dir: Path, last_step: int, wanted: RolloutFilter, limit: int, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Newest step first, in a step as they were written; and the cursor of what comes next.

    A page may be short, or empty, before the last one: see `enough`.
    """
    after = read_cursor(cursor) if cursor else (last_step + 1, -1)
    highest = min(last_step, after[0] - 1 if after[1] == LAST_ROW else after[0])
    steps = [step for step in kept_steps(run_dir) if step <= highest and wanted.has_step(step)]
    found: list[dict[str, Any]] = []
    began = time.monotonic()
    for looked, step in enumerate(steps):
        if enough(looked, began):
            return found, f"{step + 1}-{LAST_ROW}"
        with pq.ParquetFile(path_of(run_dir, step)) as file:
            rows = [row for row in matches(file, wanted) if step < after[0] or row > after[1]]
            taken = rows[: limit - len(found)]
            found += _facts(file, step, taken)
        if len(found) == limit and (len(rows) > len(taken) or step != steps[-1]):
            return found, found[-1]["id"]
    return found, None


def enough(looked: int, began: float) -> bool:
    """Whether a page that has looked through so many files goes out as it is. One file it always looks through."""
    return looked == FILES_A_PAGE or (looked > 0 and time.monotonic() - began > SECONDS_A_PAGE)


def one(run_dir: Path, last_step: int, rollout_id: str) -> dict[str, Any]:
    """Everything of one rollout, as its row in the file."""
    step, row = parse_id(rollout_id)
    path = path_of(run_dir, step)
    if step <= last_step and path.is_file():
        with pq.ParquetFile(path) as file:
            if row < file.metadata.num_rows:
                (table,) = row_groups.take(file, [row])
                return {"id": rollout_id, **table.to_pylist()[0]}
    raise NotFoundError(f"There is no rollout {rollout_id}.", "GET /api/v1/runs/{id}/rollouts lists those there are.")


def file_of(run_dir: Path, last_step: int, step: int) -> Path:
    """All rollouts of a step, as the training process wrote them."""
    path = path_of(run_dir, step)
    if step > last_step or not path.is_file():
        raise NotFoundError(f"There are no rollouts of step {step}.", "The run's events of type `rollouts` name steps.")
    return path


def matches(file: pq.ParquetFile, wanted: RolloutFilter) -> list[int]:
    """The rows that match, by number."""
    ranges, equal = wanted.ranges(), wanted.equal()
    if not all(_may_hold(file, name, bounds) for name, bounds in ranges.items()):
        return []
    rows = file.metadata.num_rows
    columns = [*ranges, *equal, *(_TEXTS if wanted.contains or wanted.matches else ())]
    if not columns or not rows:
        return list(range(rows))
    table = file.read(columns)
    mask = pa.array([True] * rows)
    for name, (low, high) in ranges.items():
        for compare, bound in ((pc.greater_equal, low), (pc.less_equal, high)):
            mask = mask if bound is None else pc.and_(mask, compare(table[name], bound))
    for name, value in equal.items():
        mask = pc.and_(mask, pc.equal(table[name], value))
    for look, words in ((pc.match_substring, wanted.contains), (pc.match_substring_regex, wanted.matches)):
        if words:
            hits = [look(table[name], words, ignore_case=True) for name in _TEXTS]
            mask = pc.and_(mask, pc.or_(pc.or_(hits[0], hits[1]), hits[2]))
    found: list[int] = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return found


def parse_id(rollout_id: str) -> tuple[int, int]:
    """(step, row). NotFoundError if it cannot be an id."""
    step, _, row = rollout_id.partition("-")
    if not (step.isascii() and row.isascii() and step.isdigit() and row.isdigit() and len(rollout_id) <= 30):
        raise NotFoundError(f"{rollout_id!r} is no rollout's id.", "An id is <step>-<row>, such as 12-3.")
    return int(step), int(row)


def read_cursor(cursor: str) -> tuple[int, int]:
    try:
        return parse_id(cursor)
    except NotFoundError as error:
        raise CursorError("This is no cursor of ours.", "Take `next_cursor` of the page before, as it is.") from error


def kept_steps(run_dir: Path) -> list[int]:
    """Newest first."""
    names = (path.stem.removeprefix("step-") for path in (run_dir / "rollouts").glob("step-*.parquet"))
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def path_of(run_dir: Path, step: int) -> Path:
    return run_dir / "rollouts" / file_name(step)


def _may_hold(file: pq.ParquetFile, name: str, bounds: tuple[float | None, float | None]) -> bool:
    low, high = bounds
    for statistics in _statistics(file, name):
        if statistics is None or not statistics.has_min_max:
            return True
        if (low is None or statistics.max >= low) and (high is None or statistics.min <= high):
            return True
    return False


def _statistics(file: pq.ParquetFile, name: str) -> Iterator[Any]:
    place = file.schema_arrow.get_field_index(name)  # flat columns come first, so this is the leaf's place too
    for group in range(file.metadata.num_row_groups):
        yield file.metadata.row_group(group).column(place).statistics


def _facts(file: pq.ParquetFile, step: int, rows: list[int]) -> Iterator[dict[str, Any]]:
    numbers = iter(rows)
    for table in row_groups.take(file, rows, [*_FACTS, "token_ids"]):
        lengths = pc.list_value_length(table["token_ids"])
        for values in table.select(list(_FACTS)).append_column("tokens", lengths).to_pylist():
            values["completion_tokens"] = values.pop("tokens") - values["prefix_tokens"]
            # An answer stands at the end; a question is known by how it begins.
            values["prompt"] = cut(values["prompt"])
            values["completion"] = cut(values["completion"][::-1])[::-1]
            yield {"id": f"{step}-{next(numbers)}", "guided": values["prefix_tokens"] > 0, **values}


def cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
