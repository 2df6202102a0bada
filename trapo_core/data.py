"""Problems from files: GSM8K, OpenR1, the paper's validation files, plain rows, and the small world.

A file is JSON Lines, or Parquet if its name ends in `.parquet`. Rows with the same prompt and answer are one problem
(the validation files repeat each problem 32 times); their distinct traces are all kept, in order. Answers are kept
word for word: making `$x$`, `x` and `142.0` comparable is the checker's business (`answers.py`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile

from trapo_core import arithmetic, hub
from trapo_core.benchmarks import origin
from trapo_core.errors import DataError, FieldProblem, SpecError
from trapo_core.sources import FileData, SmallWorldData
from trapo_core.spec import TrainSpec

# GSM8K's calculator marks: `48/2 = <<48/2=24>>24`.
CALCULATOR_MARK = re.compile(r"<<[^<>]*>>")
# Rows of long traces weigh tens of kilobytes each: few at a time keep reading below 100 MB.
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Problem:
    """A prompt (the bare problem, no template), its reference answer, and expert solutions, best first."""

    id: str
    prompt: str
    answer: str
    traces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row as read, and where: `place` is "/data/x.jsonl, line 3"; `number` counts from 1."""

    place: str
    number: int
    fields: Mapping[str, Any]


# (prompt, answer, traces) of one row.
Content = tuple[str, str, tuple[str, ...]]


def load_problems(source: SmallWorldData | FileData, data_dir: Path) -> list[Problem]:
    """The unique problems of `source` in file order, at most `source.limit`; file paths as in `resolve_path`.

    A file's problems have the id `<file name without suffix>-<line or row>`, counted from 1.
    Raises DataError that names file, line or row, and field. Rows behind the limit are not read.
    """
    if isinstance(source, SmallWorldData):
        rows = arithmetic.make_problems(source)
        return [Problem(name, prompt, answer, (trace,)) for name, prompt, answer, trace in rows]
    path = hub.download(source.hub, source.path, source.revision) if source.hub else resolve_path(source.path, data_dir)
    read = FORMATS[source.format]
    problems = fold(((row.number, read(row)) for row in read_rows(path)), name=path.stem, limit=source.limit)
    if not problems:
        raise DataError(f"{path} holds no problems.", "Give a file with at least one row.")
    return problems


def training_problems(spec: TrainSpec, data_dir: Path) -> list[Problem]:
    """The problems to train on. Raises DataError or SpecError if they do not serve every stage of the spec."""
    problems = load_problems(spec.data, data_dir)
    stages = spec.stages()
    if any(stage.needs_traces for stage in stages):
        _require_traces(problems, spec.method)
    _require_enough(problems, max(stage.prompts_per_step for stage in stages), "/prompts_per_step")
    return problems


def demonstration_problems(spec: TrainSpec, problems: list[Problem], data_dir: Path) -> list[Problem]:
    """Those whose whole traces are shown beside the groups: a data set of their own, or `problems`. Errors as above."""
    if spec.demonstrations is None:
        return []
    shown = load_problems(spec.demonstrations.data, data_dir) if spec.demonstrations.data else problems
    _require_traces(shown, spec.method)
    _require_enough(shown, spec.demonstrations.prompts_per_step, "/demonstrations/prompts_per_step")
    return shown


def _require_traces(problems: list[Problem], method: str) -> None:
    if untraced := [problem.id for problem in problems if not problem.traces]:
        raise DataError(
            f"{len(untraced)} problems have no expert trace (the first: {untraced[0]}), but {method} needs one.",
            "Use data with traces, or a method without guidance such as grpo.",
        )


def _require_enough(problems: list[Problem], count: int, pointer: str) -> None:
    if count > len(problems):
        raise SpecError([FieldProblem(pointer, f"{count} is more than the {len(problems)} problems.", "Lower it.")])


def resolve_path(path: str, data_dir: Path) -> Path:
    """`path` under `data_dir`, or as it is when absolute. Raises DataError that lists what is there instead.

    Does not confine: `..` may leave `data_dir`. Who takes paths from strangers checks them first.
    """
    found = data_dir / path
    if found.is_file():
        return found
    if found.is_dir():
        raise DataError(f"{found} is a folder, not a file.", f"It holds {_listing(found)}.")
    hint = f"{_nearest_folder(found)} TRAPO_DATA_DIR sets where relative paths start (now {data_dir}). {origin(path)}"
    raise DataError(f"{found} does not exist.", hint.strip())


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file (by its suffix) or of JSON Lines; blank lines are skipped."""
    return _parquet_rows(path) if path.suffix == ".parquet" else _json_rows(path)


def fold(contents: Iterable[tuple[int, Content]], *, name: str, limit: int | None) -> list[Problem]:
    """One Problem per distinct (prompt, answer), in order of first sight, with the distinct traces of all its rows.

    Reading stops at the first problem behind `limit`.
    """
    problems: dict[tuple[str, str], Problem] = {}
    for number, (prompt, answer, traces) in contents:
        known = problems.get((prompt, answer))
        if known is None and len(problems) == limit:
            break
        first = known or Problem(f"{name}-{number}", prompt, answer)
        merged = tuple(dict.fromkeys(first.traces + traces))
        if known is None or merged != known.traces:
            problems[prompt, answer] = Problem(first.id, prompt, answer, merged)
    return list(problems.values())


# ----------------------------------------------------------------------------------------------------- the formats


def gsm8k(row: Row) -> Content:
    """`question`, and `answer`: a worked solution, then `#### 1,234`; one trace, see `gsm8k_trace`."""
    worked, mark, final = _text(row, "answer").rpartition("####")
    answer = final.strip().replace(",", "")
    if not mark or not answer:
        raise _wrong(row, "answer", "has no final answer", "GSM8K solutions end in a line such as `#### 72`.")
    return _text(row, "question"), answer, (gsm8k_trace(worked, answer),)


def gsm8k_trace(worked: str, answer: str) -> str:
    r"""The worked solution as a model would write it: no calculator marks, and a last line that boxes the answer.

    `#### 72` becomes `The answer is \boxed{72}.`, so that the one answer checker, which reads boxes, serves all data.
    """
    return f"{CALCULATOR_MARK.sub('', worked).strip()}\nThe answer is \\boxed{{{answer}}}."


def openr1(row: Row) -> Content:
    """The training file of LUFFY and TRAPO (Openr1-Math-46k): messages in `prompt` and `target`, both word for word.

    The traces are `extra_info.answer_list` where there is one, in its order and without repetition: the released code
    counts its traces there, and the target is one of them only if the list has it. Else the target is the one trace.
    """
    prompt, answer, _ = valid(row)
    more = row.fields.get("extra_info")
    if listed := more.get("answer_list") if isinstance(more, Mapping) else None:
        return prompt, answer, _texts(row, "extra_info.answer_list", listed)
    return prompt, answer, (_message(row, "target", "assistant"),)


def valid(row: Row) -> Content:
    """The paper's validation files: the user's message of `prompt` (the system's is dropped), no traces."""
    return _message(row, "prompt", "user"), _text(row, "reward_model.ground_truth"), ()


def plain(row: Row) -> Content:
    """`prompt`, `answer` (text or number), and optionally `trace` (text) or `traces` (list of texts)."""
    traces = row.fields.get("traces")
    trace = row.fields.get("trace")
    if traces is not None and trace is not None:
        raise _wrong(row, "trace", "stands beside `traces`", "Keep one of the two.")
    listed = _texts(row, "traces", traces) if traces is not None else ()
    single = (_text(row, "trace"),) if trace is not None else ()
    return _text(row, "prompt"), _answer(row), listed + single


FORMATS: dict[str, Callable[[Row], Content]] = {"gsm8k": gsm8k, "openr1": openr1, "valid": valid, "jsonl": plain}


# --------------------------------------------------------------------------------------------------- reading files


def _json_rows(path: Path) -> Iterator[Row]:
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    place = f"{path}, line {number}"
                    yield Row(place, number, _json_object(line, place))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check its permissions and the disk.") from error


def _json_object(line: bytes, place: str) -> dict[str, Any]:
    try:
        fields = json.loads(line.decode("utf-8-sig"))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are both ValueErrors
        hint = "Each line is one JSON object in UTF-8 (JSON Lines); a Parquet file's name ends in .parquet."
        raise DataError(f"{place} is not JSON: {error}.", hint) from error
    except RecursionError as error:
        raise DataError(f"{place} is nested too deeply.", "Each line is one flat JSON object.") from error
    if not isinstance(fields, dict):
        raise DataError(f"{place} is a JSON {type(fields).__name__}, not an object.", "Write one JSON object per line.")
    return fields


def _parquet_rows(path: Path) -> Iterator[Row]:
    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}, row {number}", number, fields)
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        hint = "The file is damaged or no Parquet; fetch it again."
        raise DataError(f"{path} cannot be read behind row {number}: {reason}", hint) from error


# -------------------------------------------------------------------------------------------------- reading fields


def _text(row: Row, field: str) -> str:
    """The non-blank text of `field` (dotted: `reward_model.ground_truth`), word for word."""
    value: Any = row.fields
    for part in field.split("."):
        if not isinstance(value, Mapping) or value.get(part) is None:
            raise _wrong(row, field, "is missing", f"The row has {', '.join(map(str, row.fields)) or 'no fields'}.")
        value = value[part]
    return _checked_text(row, field, value)


def _checked_text(row: Row, field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(row, field, f"is {type(value).__name__}, not text", "Write it as a string.")
    if not value.strip():
        raise _wrong(row, field, "is blank", "Fill it in or leave the row out.")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can say "\\ud800"; no tokenizer takes it
        raise _wrong(
            row, field, f"holds half a character at {error.start}", "Write the file in valid UTF-8."
        ) from error
    return value


def _texts(row: Row, field: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong(row, field, f"is {type(value).__name__}, not a list of texts", "Write a list of strings.")
    return tuple(_checked_text(row, f"{field}.{i}", item) for i, item in enumerate(value))


def _answer(row: Row) -> str:
    """`answer`, where a number is as good as its text."""
    value = row.fields.get("answer")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _text(row, "answer")


def _message(row: Row, field: str, role: str) -> str:
    """The one message of `role` in a list of chat messages."""
    messages = row.fields.get(field)
    shape = f"{field} is a list of messages such as {{role: {role}, content: ...}}."
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise _wrong(row, field, "is missing" if messages is None else "is not a list of messages", shape)
    contents = [message.get("content") for message in messages if message.get("role") == role]
    if len(contents) != 1:
        raise _wrong(row, field, f"has {len(contents)} messages of the role {role}, not one", shape)
    return _checked_text(row, f"{field}.content", contents[0])


def _wrong(row: Row, field: str, what: str, hint: str) -> DataError:
    return DataError(f"{row.place}, field {field}: {what}.", hint)


def _listing(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    shown = ", ".join(names[:12]) or "nothing"
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown


def _nearest_folder(path: Path) -> str:
    folder = next((parent for parent in path.parents if parent.is_dir()), None)
    return f"{folder} holds {_listing(folder)}." if folder else "No part of that path exists."
