"""Spec files: one or several specs as YAML documents or JSON, with `--set a.b=c` laid over each."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from client.errors import UsageError
from trapo_core.errors import SpecError
from trapo_core.spec_file import read_documents

Spec = dict[str, Any]
NamedSpec = tuple[str, Spec]  # the name says which file it is of, and which of several in it


def load_specs(paths: Iterable[Path], overrides: Sequence[str] = ()) -> list[Spec]:
    """Every spec of the files, in order. Whether it can be run is for `parse_spec` to say."""
    return [spec for _, spec in read_specs(paths, overrides)]


def read_specs(paths: Iterable[Path], overrides: Sequence[str] = ()) -> list[NamedSpec]:
    """The same, with their names."""
    files = [(path, _documents(path)) for path in paths]
    return [
        (str(path) if len(specs) == 1 else f"{path}, spec {number}", override(spec, overrides))
        for path, specs in files
        for number, spec in enumerate(specs, start=1)
    ]


def _documents(path: Path) -> list[Spec]:
    try:
        return read_documents(path)
    except SpecError as error:
        [problem] = error.problems
        raise UsageError(problem.message, problem.hint) from error


def override(spec: Spec, assignments: Sequence[str]) -> Spec:
    """A copy of `spec` with each `a.b=value` set; a number names an item of a list."""
    changed: Spec = json.loads(json.dumps(spec, default=str))
    for assignment in assignments:
        path, text = _parts(assignment)
        _put(changed, path.split("."), _value(assignment, text), assignment)
    return changed


def values_by_path(assignments: Sequence[str]) -> Spec:
    """What `--set` means to the service: each value by its path."""
    parts = {assignment: _parts(assignment) for assignment in assignments}
    return {path: _value(assignment, text) for assignment, (path, text) in parts.items()}


def several_by_path(assignments: Sequence[str]) -> dict[str, list[Any]]:
    """The values of a sweep by path: `optimizer.lr=1e-4,3e-4`. A value that is a list stands in brackets."""
    parts = {assignment: _parts(assignment) for assignment in assignments}
    return {path: _value(assignment, f"[{text}]") for assignment, (path, text) in parts.items()}


def _parts(assignment: str) -> tuple[str, str]:
    path, equals, text = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise UsageError(
            f"--set {assignment!r} is not of the form field.field=value.", "Such as --set data.problems=256."
        )
    return path, text


def seeds(text: str) -> list[int]:
    """Such as 0,1,2 or 0-4."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"--seeds {text!r} is no list of seeds.", "Such as 0,1,2 or 0-4.")
        found += range(int(first), int(last if dash else first) + 1)
    return found


def _value(assignment: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {assignment!r}: the value is not YAML: {error}") from error


def _put(target: Any, names: list[str], value: Any, assignment: str) -> None:
    name, *rest = names
    key: str | int = name
    if isinstance(target, list):
        if not name.isdigit() or int(name) >= len(target):
            raise UsageError(f"--set {assignment!r}: the list has items 0 to {len(target) - 1}, not {name!r}.")
        key = int(name)
    elif not isinstance(target, dict):
        raise UsageError(f"--set {assignment!r}: nothing can be set inside {target!r}.")
    elif rest and rest[0].isdigit() and name not in target:
        raise UsageError(
            f"--set {assignment!r}: the spec itself has no list {name!r}.",
            "Write the list whole, as YAML or in the file.",
        )
    if not rest:
        target[key] = value
        return
    if isinstance(target, dict):
        target.setdefault(key, {})
    _put(target[key], rest, value, assignment)
