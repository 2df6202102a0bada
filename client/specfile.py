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


def load_specs(paths: Iterable[Path], overrides: Sequence[str] = ()) -> list[Spec]:
    """Every spec of the files, in order. Whether it can be run is for `parse_spec` to say."""
    return [override(spec, overrides) for path in paths for spec in _documents(path)]


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
        path, equals, text = assignment.partition("=")
        if not equals or not all(path.split(".")):
            raise UsageError(
                f"--set {assignment!r} is not of the form field.field=value.", "Such as --set data.problems=256."
            )
        _put(changed, path.split("."), _value(assignment, text), assignment)
    return changed


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
